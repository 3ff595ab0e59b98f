"""As much of SPDY/3.1 as `kubectl exec` needs from a server: streams for error, stdin, stdout and stderr.

The client opens them in this order (protocol v4.channel.k8s.io), so their headers need not be read. Compressed headers of
answers are sent without SPDY's dictionary, which zlib allows.
"""

from __future__ import annotations

import json
import struct
import subprocess
import threading
import zlib
from http.server import BaseHTTPRequestHandler
from typing import IO

SYN_STREAM, SYN_REPLY, PING, FIN = 1, 2, 6, 1
CHUNK = 32 << 10


class _Wire:
    """Frames out, one at a time; the headers of all answers are one compressed stream."""

    def __init__(self, out: IO[bytes]) -> None:
        self.out = out
        self.lock = threading.Lock()
        self.headers = zlib.compressobj()

    def _send(self, frame: bytes) -> None:
        try:
            self.out.write(frame)
            self.out.flush()
        except OSError:
            pass  # the client went away; the process gets to know through its standard input

    def control(self, kind: int, payload: bytes) -> None:
        with self.lock:
            self._send(struct.pack("!HHI", 0x8003, kind, len(payload)) + payload)

    def reply(self, stream: int) -> None:
        with self.lock:
            block = self.headers.compress(struct.pack("!I", 0)) + self.headers.flush(zlib.Z_SYNC_FLUSH)
            payload = struct.pack("!I", stream) + block
            self._send(struct.pack("!HHI", 0x8003, SYN_REPLY, len(payload)) + payload)

    def data(self, stream: int, content: bytes, *, last: bool = False) -> None:
        with self.lock:
            self._send(struct.pack("!II", stream, (FIN if last else 0) << 24 | len(content)) + content)


def serve_exec(handler: BaseHTTPRequestHandler, argv: list[str], environment: dict[str, str]) -> None:
    """Answer the upgrade, run `argv` here, and carry its streams; ends when the process has ended or the client left."""
    handler.send_response(101, "Switching Protocols")
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Upgrade", "SPDY/3.1")
    handler.send_header("X-Stream-Protocol-Version", "v4.channel.k8s.io")
    handler.end_headers()
    wire = _Wire(handler.wfile)
    streams: list[int] = []
    process: subprocess.Popen[bytes] | None = None
    try:
        while header := handler.rfile.read(8):
            if len(header) < 8:
                break
            first, rest = struct.unpack("!II", header)
            payload = handler.rfile.read(rest & 0xFFFFFF)
            if not first >> 31:
                if process is not None and process.stdin is not None and first == streams[1]:
                    _feed(process.stdin, payload, last=bool(rest >> 24 & FIN))
                continue
            kind = first & 0xFFFF
            if kind == PING:
                wire.control(PING, payload)
            elif kind == SYN_STREAM:
                streams.append(struct.unpack("!I", payload[:4])[0] & 0x7FFFFFFF)
                wire.reply(streams[-1])
                if len(streams) == 4:
                    process = subprocess.Popen(
                        argv,
                        env=environment,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                    )
                    threading.Thread(target=_carry, args=(wire, process, streams), daemon=True).start()
    except (OSError, ValueError):
        pass
    finally:
        if process is not None and process.poll() is None:
            process.kill()


def _feed(stdin: IO[bytes], content: bytes, *, last: bool) -> None:
    try:
        stdin.write(content)
        stdin.flush()
        if last:
            stdin.close()
    except (OSError, ValueError):
        pass  # the process does not read on


def _carry(wire: _Wire, process: subprocess.Popen[bytes], streams: list[int]) -> None:
    error, _, stdout, stderr = streams

    def pump(source: IO[bytes], stream: int) -> None:
        while content := source.read1(CHUNK):  # type: ignore[attr-defined]
            wire.data(stream, content)
        wire.data(stream, b"", last=True)

    assert process.stdout is not None
    assert process.stderr is not None
    pumps = [
        threading.Thread(target=pump, args=pair, daemon=True)
        for pair in ((process.stdout, stdout), (process.stderr, stderr))
    ]
    for one in pumps:
        one.start()
    for one in pumps:
        one.join()
    code = process.wait()
    status: dict[str, object] = {"metadata": {}, "status": "Success"}
    if code:
        status = {
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": f"command terminated with non-zero exit code: {code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }  # fmt: skip
    wire.data(error, json.dumps(status).encode(), last=True)
