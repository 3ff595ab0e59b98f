"""Render one page of HTML to a PDF on standard output; the order is one JSON object on standard input.

Runs as its own process: WeasyPrint does not give its memory back, and a limit on time and memory can be set here.
Nothing is fetched: every address a page could name is refused.

Exit codes: 0 done, 3 WeasyPrint or a library of it is missing, 4 the page could not be rendered, 5 the page is in Chinese and
no font has Chinese characters.
"""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import datetime as dt
import json
import re
import resource
import sys
from typing import Any, NoReturn

CPU_S = 300
MEMORY = 4 << 30
_HAN = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


_EPOCH = dt.datetime(1970, 1, 1)


class _Refuser:
    """A fetcher that fetches nothing. WeasyPrint asks it whether a failure shall end the rendering: no."""

    _fail_on_errors = False

    def __call__(self, url: str, *_: Any, **__: Any) -> NoReturn:
        raise ValueError(f"a report loads nothing: {url[:80]}")


_refuse = _Refuser()


def has_font(language: str) -> bool:
    """Whether fontconfig, which chooses the fonts, knows one for this language; true where it cannot be asked."""
    name = ctypes.util.find_library("fontconfig")
    if not name:
        return True
    library = ctypes.CDLL(name)
    pointer = ctypes.c_void_p
    for function, result, arguments in (
        ("FcInitLoadConfigAndFonts", pointer, []), ("FcNameParse", pointer, [ctypes.c_char_p]),
        ("FcObjectSetCreate", pointer, []), ("FcObjectSetAdd", ctypes.c_int, [pointer, ctypes.c_char_p]),
        ("FcFontList", ctypes.POINTER(ctypes.c_int), [pointer, pointer, pointer]),
    ):  # fmt: skip
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    wanted = library.FcObjectSetCreate()
    library.FcObjectSetAdd(wanted, b"family")
    found = library.FcFontList(
        library.FcInitLoadConfigAndFonts(), library.FcNameParse(f":lang={language}".encode()), wanted
    )
    return bool(found) and found[0] > 0


def spelled(page: str) -> str:
    """The page with each Chinese character by its number: what a machine without a font for it can still show and copy."""
    return _HAN.sub(lambda match: f"\\u{ord(match[0]):04x}", page)


def _limit(kind: int, soft: int, more: int) -> None:
    """Set a limit, never above the hard one of whoever started this process."""
    hard = resource.getrlimit(kind)[1]
    most = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
    resource.setrlimit(kind, (min(soft, most), most))


def main() -> int:
    _limit(resource.RLIMIT_CPU, CPU_S, 5)
    _limit(resource.RLIMIT_AS, MEMORY, 0)
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    order = json.loads(sys.stdin.buffer.read())
    page = order["page"]
    if _HAN.search(page) and not has_font("zh-cn"):
        if order["cjk"]:
            return 5
        page = spelled(page)
    attached = [
        weasyprint.Attachment(
            string=base64.b64decode(one["content"]),
            name=one["name"],
            description=one["title"],
            created=_EPOCH,
            modified=_EPOCH,
            relationship="Data",
        )
        for one in order["attached"]
    ]
    document = weasyprint.HTML(string=page, url_fetcher=_refuse, base_url=None).render(
        pdf_variant="pdf/ua-1", pdf_tags=True
    )
    document.metadata.attachments = attached
    sys.stdout.buffer.write(
        document.write_pdf(pdf_identifier=order["identifier"].encode("ascii"), pdf_variant="pdf/ua-1", pdf_tags=True)
        or b""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
