"""Render one page of HTML, read from standard input, to a PDF on standard output.

Runs as its own process: WeasyPrint does not give its memory back, and a limit on time and memory can be set here.
Nothing is fetched: every address a page could name is refused.

Exit codes: 0 done, 3 WeasyPrint or a library of it is missing, 4 the page could not be rendered.
"""

from __future__ import annotations

import resource
import sys
from typing import Any, NoReturn

CPU_S = 300
MEMORY = 4 << 30


class _Refuser:
    """A fetcher that fetches nothing. WeasyPrint asks it whether a failure shall end the rendering: no."""

    _fail_on_errors = False

    def __call__(self, url: str, *_: Any, **__: Any) -> NoReturn:
        raise ValueError(f"a report loads nothing: {url[:80]}")


_refuse = _Refuser()


def _limit(kind: int, soft: int, more: int) -> None:
    """Set a limit, never above the hard one of whoever started this process."""
    hard = resource.getrlimit(kind)[1]
    most = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
    resource.setrlimit(kind, (min(soft, most), most))


def main(identifier: str) -> int:
    _limit(resource.RLIMIT_CPU, CPU_S, 5)
    _limit(resource.RLIMIT_AS, MEMORY, 0)
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    page = sys.stdin.buffer.read().decode("utf-8")
    document = weasyprint.HTML(string=page, url_fetcher=_refuse, base_url=None).render()
    sys.stdout.buffer.write(document.write_pdf(pdf_identifier=identifier.encode("ascii")) or b"")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
