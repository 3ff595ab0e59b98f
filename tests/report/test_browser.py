"""The page in a real Chromium: nothing is blocked or loaded, it works with and without script, and anyone can use it.

Skipped where no Chromium or no Playwright is installed.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from analyzer.report import html
from analyzer.report.messages import Messages

from . import make

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")
A4 = 794
WIDTHS = (360, 1280, A4)
"""A telephone, a desk, and a sheet of A4 at 96 dots per inch."""
SCREENS = Path(__file__).resolve().parents[1] / "data" / "screens"
ALIKE = 4.0
"""Mean difference of grey values (of 255): another version of a font stays below, a lost box or column does not."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # Root has no user namespace to lock the browser into.
        arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Language -> address of its page."""
    folder: Path = tmp_path_factory.mktemp("report")
    whole = make.analysis(rows=12)
    few = dataclasses.replace(whole, traces=dict(list(whole.traces.items())[:6]))
    for language in ("en", "zh_CN"):
        (folder / f"{language}.html").write_text(html.render(few, Messages(language)), "utf-8")
    return {language: (folder / f"{language}.html").as_uri() for language in ("en", "zh_CN")}


@pytest.fixture(scope="module")
def file(files: dict[str, str]) -> str:
    return files["en"]


class Opened:
    """A page with what it asked for and complained about."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def test_nothing_is_loaded_and_nothing_is_blocked(browser: Any, file: str) -> None:
    with Opened(browser, file) as opened:
        assert opened.requests == [file]
        assert opened.complaints == []
        style = opened.page.evaluate("getComputedStyle(document.querySelector('.answer')).borderLeftWidth")
        assert style == "4px"


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_every_width_looks_as_it_did_and_none_scrolls_sideways(
    browser: Any, files: dict[str, str], language: str, update_golden: bool
) -> None:
    with Opened(browser, files[language]) as opened:
        page = opened.page
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1200})
            page.emulate_media(media="print" if width == A4 else "screen")
            compare(page.screenshot(), f"{language}-{width}", update_golden)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(media="print" if width == A4 else "screen")
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def compare(png: bytes, name: str, update: bool) -> None:
    """The top of the page as grey cells of 8 by 8 points, where letters blur and boxes, columns and lines of text stay."""
    taken = Image.open(io.BytesIO(png)).convert("L")
    seen = taken.resize((taken.width // 8, taken.height // 8), Image.Resampling.BOX)
    stored = SCREENS / f"{name}.png"
    if update:
        seen.save(stored, optimize=True)
    with Image.open(stored) as golden:
        assert golden.size == seen.size
        differing = ImageStat.Stat(ImageChops.difference(golden.convert("L"), seen)).mean[0]
    assert differing < ALIKE, f"{name} looks different ({differing:.1f}): look at it, then run with --update-golden"


def test_a_broken_style_is_seen(browser: Any, file: str) -> None:
    with Opened(browser, file, bypass_csp=True) as opened:
        opened.page.set_viewport_size({"width": 1280, "height": 1200})
        opened.page.add_style_tag(content="table { display: none; }")
        with pytest.raises(AssertionError, match="looks different"):
            compare(opened.page.screenshot(), "en-1280", update=False)


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh_CN", "dark")])
def test_anyone_can_use_it(browser: Any, files: dict[str, str], language: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    with Opened(browser, files[language], color_scheme=scheme, bypass_csp=True) as opened:
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        # Rows of one table are alike: the first ones of each are enough.
        opened.page.evaluate("document.querySelectorAll('tbody tr:nth-child(n+6)').forEach(one => { one.remove(); })")
        found = axe.Axe().run(opened.page).response["violations"]
        assert [(one["id"], [node["html"][:160] for node in one["nodes"]][:3]) for one in found] == []


def test_without_script_everything_is_there(browser: Any, file: str) -> None:
    with Opened(browser, file, java_script_enabled=False) as opened:
        page = opened.page
        assert page.locator(".filter").first.is_hidden()
        assert page.locator(".answer").first.is_visible()
        assert page.locator(".finding").count() == 6
        assert all(one.is_visible() for one in page.locator(".cause").all())
        link = page.locator("table.matrix td a").first
        link.click()
        assert page.locator(link.get_attribute("href")).is_visible()


def test_search_and_filters(browser: Any, file: str) -> None:
    with Opened(browser, file) as opened:
        page = opened.page
        every = page.locator(".finding").count()
        assert page.locator("#shown").inner_text() == str(every)
        page.keyboard.press("/")
        page.keyboard.type("REACH-007")
        assert page.locator(".finding:visible").count() == 1
        assert page.locator("#shown").inner_text() == "1"
        page.fill("#search", "203.0.113.1:81")
        assert 0 < page.locator("#matrix tr.addresses:visible").count() < page.locator("#matrix tr.addresses").count()
        page.fill("#search", "")
        page.locator(".by-severity[value=critical]").uncheck()
        assert page.locator(".finding[data-severity=critical]:visible").count() == 0
        assert page.locator(".finding:visible").count() == every - 2
        assert opened.complaints == []


def test_a_cell_opens_its_trace_and_the_keyboard_comes_back(browser: Any, file: str) -> None:
    with Opened(browser, file) as opened:
        page = opened.page
        cell = page.locator("#matrix table.matrix td a").first
        cell.focus()
        page.keyboard.press("Enter")
        dialog = page.locator("#trace-dialog")
        dialog.wait_for(state="visible")
        assert dialog.locator("svg").count() >= 1
        assert re.search(r"#t-\d+$", page.url)
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        assert page.evaluate("document.activeElement.getAttribute('href')") == cell.get_attribute("href")
        before = page.evaluate("document.activeElement.getAttribute('aria-label')")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") != before
        assert opened.complaints == []


def test_deep_links(browser: Any, file: str) -> None:
    with Opened(browser, f"{file}#t-2") as opened:
        opened.page.locator("#trace-dialog").wait_for(state="visible")
    with Opened(browser, f"{file}#c-1-F2") as opened:
        opened.page.locator("#c-1-F2 .conditions").wait_for(state="visible")


def test_copy_gives_the_command_as_it_stands(browser: Any, file: str) -> None:
    with Opened(browser, file) as opened:
        opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = opened.page
        figure = page.locator(".change:has(.copy)").filter(has=page.locator("pre.command")).first
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        figure.locator(".copy").click()
        page.wait_for_function("document.querySelector('.copy') !== null")
        assert page.evaluate("navigator.clipboard.readText()") == figure.locator("code").text_content()


def test_theme(browser: Any, file: str) -> None:
    with Opened(browser, file, color_scheme="light") as opened:
        page = opened.page
        back = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(back)
        page.select_option("#theme", "dark")
        assert page.evaluate(back) != light
        page.emulate_media(media="print")
        assert page.evaluate(back) == light
