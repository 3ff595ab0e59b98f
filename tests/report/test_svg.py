"""The pictures: well-formed, escaped, texts that do not meet."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from analyzer.forwarding.model import Path
from analyzer.report import svg_path
from analyzer.report.messages import Messages
from analyzer.report.plain import width

from . import make

NS = "{http://www.w3.org/2000/svg}"


def _texts(root: ElementTree.Element) -> list[tuple[float, float, float, float, str]]:
    """Boxes of unrotated texts: left, top, right, bottom, the words."""
    boxes = []
    for element in root.iter(NS + "text"):
        if "transform" in element.attrib:
            continue
        words = (element.text or "") + "".join(child.tail or "" for child in element)
        size = float(element.attrib["font-size"])
        x, y = float(element.attrib["x"]), float(element.attrib["y"])
        wide = width(words, size, bold="font-weight" in element.attrib)
        x -= {"middle": wide / 2, "end": wide}.get(element.attrib.get("text-anchor", "start"), 0)
        boxes.append((x, y - size * 0.75, x + wide, y + size * 0.15, words))
    return boxes


def _meeting(boxes: list[tuple[float, float, float, float, str]]) -> list[tuple[str, str]]:
    return [
        (a[4], b[4])
        for a, b in itertools.combinations(boxes, 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_path_texts_do_not_meet_and_stay_inside(number: int, messages: Messages) -> None:
    root = ElementTree.fromstring(str(svg_path.draw(make.trace().paths[number], messages)))
    boxes = _texts(root)
    assert _meeting(boxes) == []
    assert min(box[0] for box in boxes) >= 0
    assert max(box[2] for box in boxes) <= float(root.attrib["width"])
    assert max(box[3] for box in boxes) <= float(root.attrib["height"])


def test_path_shows_changes_failure_and_reply(messages: Messages) -> None:
    good, lost, evil = (str(svg_path.draw(path, messages)) for path in make.trace().paths)
    assert "dst 203.0.113.10:443 → 192.0.2.8:8443" in good
    assert "mark 0x0 → 0x4000" in good
    assert "stroke-dasharray" in good
    assert 'class="x"' not in good
    assert 'class="x"' in lost
    assert "stroke-dasharray" not in lost
    assert "<script" not in evil
    assert "&lt;script&gt;" in evil


def test_path_without_hops_is_no_picture(messages: Messages) -> None:
    assert svg_path.draw(Path("unknown", "", ()), messages) == ""
