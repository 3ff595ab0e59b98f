"""One pass over text: every address, MAC, id and known word becomes its image, everything else stays.

Text is cut at blanks, and what stands between becomes what it became before: captures repeat themselves. What is new is cut
again, into tokens that end at colons and commas, so that a new port does not make an address new.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

from analyzer.redact.addresses import Addresses, embeds
from analyzer.redact.book import WORD, Book
from analyzer.redact.vocabulary import vocabulary

# A run of backslashes is looked at from its first one only: a search takes time linear in it.
_ESCAPE = r"(?<!\\)\\+(?:u[0-9a-fA-F]{4}|[nrtbf])"
# What stands before a word in a URL (`%2Fcheckout`). No zone of an address or format of a log begins with such digits and a letter.
_PERCENT = "(?:%[2-7][0-9A-Fa-f])"
_COLONS = (
    rf"(?:{_ESCAPE}|{_PERCENT}{{1,8}}|(?<![0-9A-Za-z:._-]))[0-9A-Fa-f]{{0,4}}(?::[0-9A-Fa-f]{{0,4}}){{2,19}}"
    r"(?:(?:\.[0-9]{1,3}){3})?(?:%[A-Za-z0-9_.-]+)?(?:/[0-9]{1,3}(?![0-9.A-Za-z]))?"
)
_PLAIN = rf"{_PERCENT}{{0,8}}(?<!\\)\\*[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:/[0-9]{{1,3}}(?![0-9.A-Za-z]))?"
_TOKEN = re.compile(f"({_PLAIN})")
_TOKEN6 = re.compile(f"({_COLONS}|{_PLAIN})")
_HAS_COLONS = re.compile(r"[0-9A-Fa-f]?:[0-9A-Fa-f]{0,4}:")
_LEADING = re.compile(_ESCAPE)
_ENCODED = re.compile(f"{_PERCENT}*")

_QUAD = (
    r"(?<![0-9])(?P<quad>[0-9]{1,3}(?P<sep>[._-])[0-9]{1,3}(?P=sep)[0-9]{1,3}(?P=sep)[0-9]{1,3})"
    r"(?P<arpa>\.in-addr\.arpa)?(?!(?P=sep)?[0-9])(?:/(?P<len>[0-9]{1,3}))?"
)
_ROW = r"(?<![0-9.])(?P<row>[0-9]{1,3}(?:\.[0-9]{1,5}){4,})(?![0-9])"
_NIBBLES = r"(?<![0-9A-Za-z.])(?P<nibbles>(?:[0-9A-Fa-f]\.){32})(?=ip6\.arpa)"
_DASHED = r"(?<![0-9A-Za-z-])(?P<dashed>[0-9A-Fa-f]{1,4}(?:-[0-9A-Fa-f]{0,4}){2,7})(?![0-9A-Za-z-])"
_UUID = (
    r"(?:(?<![0-9A-Za-z])|(?<=[^0-9A-Za-z]pod)|(?<=^pod))(?P<uuid>[0-9a-fA-F]{8}(?P<us>[-_])[0-9a-fA-F]{4}(?P=us)[0-9a-fA-F]{4}(?P=us)[0-9a-fA-F]{4}(?P=us)"
    r"[0-9a-fA-F]{12})(?![0-9A-Za-z])"
)
_MAC = (
    r"(?<![0-9A-Za-z.-])(?P<mac>[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|"
    r"(?=[0-9.]*[A-Fa-f])[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})(?![0-9A-Za-z.-])"
)
_ID = (
    r"(?<![0-9A-Za-z])(?:lb|clb|slb|alb|nlb|eni|vpc|vsw|rsp|sgp|sg|acl|eip|ngw|rtb|vtb|vrt|asg|snap|disk|cen|subnet|eipalloc)"
    r"-(?P<id>[0-9a-z]{6,})(?![0-9A-Za-z])"
)
QUAD = re.compile(_QUAD)
_VERSION = re.compile("(?:^|[^A-Za-z0-9])[vV]$")
_LONGER = re.compile("(?:^|[^0-9A-Za-z])[0-9]{1,5}([._-])$")
# Of `node10.0.0.7` the word is `node`, of a cgroup's `pod0f9df7e8_ec7c_...` it is `pod`.
_WORD = (
    r"(?P<word>pod(?=[0-9a-f]{8}[-_][0-9a-f]{4}[-_])|[A-Za-z0-9]*[A-Za-z](?=[0-9]{1,3}(?P<near>[._-])[0-9]{1,3}(?:(?P=near)[0-9]{1,3}){2}(?!(?P=near)?[0-9]))|"
    "[A-Za-z0-9]+)"
)
_PARTS = re.compile(f"{_NIBBLES}|{_UUID}|{_QUAD}|{_ROW}|{_MAC}|{_DASHED}|{_ID}|{_WORD}")
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b\n]*\x07|[@-Z\\-_])")
_SPLICED = re.compile(
    r"(?m)^([^\n]+?)(conntrack v\S+ \(conntrack-tools\): [0-9]+ flow entries have been shown\.)\n([^\n]+)\n"
)
_LETTERS = re.compile(r"\\+u00([3-7][0-9a-fA-F])")
_IN_URL = re.compile(r"(?<![0-9])%([2-7][0-9A-Fa-f])")
_LONG = 256
_HEX = re.compile("(?P<mark>0[xX])?(?P<digits>[0-9A-Fa-f]{7,8}|[0-9A-Fa-f]{32})")


class _Memo(dict[str, str]):
    """Text to image; what is seen for the first time is worked out. Forgets everything when it grows too large."""

    def __init__(self, slow: Callable[[str], str], most: int = 500_000) -> None:
        super().__init__()
        self._slow, self._most = slow, most

    def __missing__(self, text: str) -> str:
        image = self._slow(text)
        if len(text) <= _LONG:
            if len(self) >= self._most:
                self.clear()
            self[text] = image
        return image


class Scanner:
    """Redacts text by the addresses and the book of one cluster."""

    def __init__(self, addresses: Addresses, book: Book) -> None:
        self.addresses, self.book = addresses, book
        self.seen: dict[str, str] = {}
        """Addresses and MACs as they were written, and what stands there now."""
        self.images: set[bytes] = set()
        """Packed images of all addresses and MACs, also of those that stay as they are."""
        self.known: set[bytes] = set()
        """Packed addresses that occur, to find them where their form alone tells nothing: hexadecimal, versions, longer rows."""
        self._pieces = _Memo(self._piece)
        self._tokens = _Memo(self._slow)

    def forget(self) -> None:
        """After the book has learned more."""
        self._pieces.clear()
        self._tokens.clear()

    def text(self, text: str) -> str:
        """The image of any text."""
        return " ".join(map(self._pieces.__getitem__, text.split(" ")))

    def _piece(self, text: str) -> str:
        parts = (_TOKEN6 if _HAS_COLONS.search(text) else _TOKEN).split(text)
        parts[1::2] = map(self._tokens.__getitem__, parts[1::2])
        return "".join(parts)

    def _slow(self, token: str) -> str:
        lead = ""
        if token.startswith("%"):
            lead = _ENCODED.match(token)[0]  # type: ignore[index]  # it matches nothing too
            token = token[len(lead) :]
        if token.startswith("\\"):
            token, escape = self._unescaped(token)
            lead += escape
        if ":" in token:
            return lead + self._colons(token)
        return lead + _PARTS.sub(self._part, self.book.with_phrases(token))

    def _unescaped(self, token: str) -> tuple[str, str]:
        """What follows an escape (``\\n10.0.0.1`` of JSON in JSON); a word that is known counts as no escape."""
        bare = token.lstrip("\\")
        first = WORD.match(bare)
        escape = _LEADING.match(token)
        if escape is None or (first and first[0].lower() in self.book.words and ":" not in token):
            return bare, token[: len(token) - len(bare)]
        return token[escape.end() :], escape[0]

    def _part(self, match: re.Match[str]) -> str:
        if word := match["word"]:
            found = _HEX.fullmatch(word) if self.known else None
            return self._hex(found) if found else self.book.word(word)
        if quad := match["quad"]:
            return self._quad(match, quad)
        if row := match["row"]:
            return self._row(row)
        if identity := match["uuid"]:
            return self._shaped(identity)
        if mac := match["mac"]:
            return self._mac(mac, "-" if "-" in mac else ".")
        if nibbles := match["nibbles"]:
            packed = bytes.fromhex(nibbles.replace(".", "")[::-1])
            return ".".join(reversed(self.raw(packed).hex())) + "."
        if dashed := match["dashed"]:
            return self._dashed(dashed)
        identity = match["id"]
        known = identity in vocabulary() or not re.search("[0-9]", identity)
        image = self.book.word(identity)
        if image == identity and not known:
            image = self.book.remember(identity, self.book.opaque(identity))
        return match[0][: match.start("id") - match.start()] + image

    def _shaped(self, identity: str) -> str:
        digits = re.sub("[-_]", "", identity)
        if _uniform(digits):
            return identity
        image = iter(self.book.opaque(digits.lower()))
        shaped = "".join(one if one in "-_" else next(image) for one in identity)
        return self.book.remember(identity, shaped.upper() if identity.isupper() else shaped)

    def _quad(self, match: re.Match[str], quad: str) -> str:
        separator = match["sep"]
        numbers = quad.split(separator)
        padded = any(len(one) > 1 and one[0] == "0" for one in numbers)
        packed = _packed4(numbers)
        if packed is None or ((padded or is_doubtful(match)) and packed not in self.known):
            return self._words(match[0])
        if padded:
            width = min(map(len, numbers))
            image = ".".join(one.rjust(width, "0") for one in self.address(_printed(packed)).split("."))
            return image.replace(".", separator) + match[0][match.end("quad") - match.start() :]
        if match["arpa"]:
            return ".".join(reversed(self.address(".".join(reversed(numbers))).split("."))) + match["arpa"]
        length = match["len"]
        ends = length is not None and separator == "."
        image = self.address(".".join(numbers), int(length) if ends and int(length) <= 32 else -1)
        return image.replace(".", separator) + (f"/{length}" if length is not None else "")

    def _row(self, row: str) -> str:
        """More than four numbers: the address and port of tcpdump, an object id that ends in an address, or no address at all."""
        numbers = row.split(".")
        at = 0
        while at + 4 <= len(numbers):
            packed = _packed4(numbers[at : at + 4])
            if packed in self.known:
                numbers[at : at + 4] = self.address(_printed(packed)).split(".")
                at += 3
            at += 1
        return ".".join(numbers)

    def _dashed(self, text: str) -> str:
        """An IPv6 address as the label of a host name, if it is one that is known."""
        try:
            packed = _packed(text.replace("-", ":"))
        except ValueError:
            return self._words(text)
        return _printed(self.raw(packed)).replace(":", "-") if packed in self.known else self._words(text)

    def _words(self, text: str) -> str:
        return WORD.sub(lambda word: self.book.word(word[0]), text)

    def address(self, text: str, length: int = -1) -> str:
        """The image of an address, remembered.

        Raises:
            ValueError: it is none.
        """
        image = self.addresses.text(text, length)
        if image != text:
            self.seen[text if length < 0 else f"{text}/{length}"] = image if length < 0 else f"{image}/{length}"
        packed = _packed(image)
        self.images.update((packed, packed[12:]) if embeds(packed) else (packed,))
        return image

    def raw(self, packed: bytes) -> bytes:
        """The image of a packed address, remembered."""
        return _packed(self.address(_printed(packed)))

    def _hex(self, match: re.Match[str]) -> str:
        digits, mark = match["digits"], match["mark"] or ""
        if len(digits) % 2 == 0 or mark:
            packed = bytes.fromhex(digits.rjust(8, "0"))
            for turn in (bytes, flipped):
                if turn(packed) in self.known:
                    image = turn(self.raw(turn(packed))).hex()
                    return mark + (image.upper() if digits.upper() == digits else image)
        return self.book.word(match[0])

    def _colons(self, token: str) -> str:
        bare, slash, length = token.partition("/")
        bare, percent, zone = bare.partition("%")
        tail = (percent + self._slow(zone) if zone else percent) + slash + length
        if re.fullmatch(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5,19}", bare):
            return self._mac(bare, ":") + tail
        try:
            prefix = int(length) if length and int(length) <= 128 else -1
            return self.address(bare, prefix) + tail
        except ValueError:
            head, _, port = bare.rpartition(":")
        if port.isdigit() and head.count(":") >= 2:
            try:
                return f"{self.address(head)}:{port}{tail}"
            except ValueError:
                pass
        return ":".join(_PARTS.sub(self._part, part) for part in bare.split(":")) + tail

    def _mac(self, text: str, separator: str) -> str:
        packed = bytes.fromhex(text.replace(separator, ""))
        if len(packed) == 14:  # a log line of netfilter: to, from, type
            image = self.addresses.mac(packed[:6]) + self.addresses.mac(packed[6:12]) + packed[12:]
        else:
            image = self.addresses.mac(packed)
        self.images.update((image[:6], image[6:12]))
        shown = image.hex(separator, -2 if separator == "." else 1)
        shown = shown.upper() if text.upper() == text else shown
        if image != packed:
            self.seen[text] = shown
        return shown


def plain(text: str) -> str:
    """Text in which words are words and addresses whole, line by line as before.

    Terminal colours are taken off, letters that JSON or a URL need not escape stand in the clear, and an entry that the closing
    count of conntrack (standard error) was printed into is put together again, the count behind it.
    """
    if "flow entries have been shown." in text:
        text = _SPLICED.sub(r"\1\3\n\2\n", text)
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\\u00" in text:
        text = _LETTERS.sub(_unquoted, text)
    if "%" in text:
        text = _IN_URL.sub(_unquoted, text)
    return text


def _unquoted(match: re.Match[str]) -> str:
    letter = chr(int(match[1], 16))
    return letter if letter.isalnum() or letter in ".-_:" else match[0]


def _uniform(digits: str) -> bool:
    return len(set(digits)) == 1


def is_doubtful(match: re.Match[str]) -> bool:
    """Whether what stands before a match of QUAD makes it a version (``v1.2.3.4``) or part of a longer row (``5.1.2.3.4``)."""
    start = match.start()
    if match["sep"] == "." and _VERSION.search(match.string, max(0, start - 2), start):
        return True
    longer = _LONGER.search(match.string, max(0, start - 7), start)
    return longer is not None and longer[1] == match["sep"]


def flipped(packed: bytes) -> bytes:
    """Words of four bytes in the other byte order."""
    return b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4))


def _packed4(numbers: Sequence[str]) -> bytes | None:
    values = [int(one) for one in numbers]
    return bytes(values) if max(values) < 256 else None


def _packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def _printed(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))
