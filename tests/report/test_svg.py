"""The pictures: well-formed, escaped, texts that do not meet."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

from analyzer.forwarding.model import Path
from analyzer.report import svg, svg_matrix, svg_path
from analyzer.report.messages import Messages
from analyzer.report.plain import width

from . import make

NS = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (24, 9), (9, 24), (300, 60), (3, 200)])
@pytest.mark.parametrize("sheet", [svg_matrix.SCREEN, svg_matrix.LANDSCAPE])
def test_matrix_is_well_formed(rows: int, columns: int, sheet: svg_matrix.Sheet, messages: Messages) -> None:
    drawn = svg_matrix.draw(make.matrix(rows, columns), messages, sheet)
    assert 0 < len(drawn.pictures) <= sheet.pictures
    for picture in drawn.pictures:
        root = ElementTree.fromstring(str(picture.svg))
        assert {element.tag for element in root.iter()} <= {
            NS + tag for tag in ("svg", "path", "text", "title", "rect")
        }
        assert picture.width <= max(sheet.width, 300) + 1
        assert picture.height <= sheet.height + 60
        assert "<script" not in picture.svg


def test_matrix_draws_every_cell_once(messages: Messages) -> None:
    matrix = make.matrix(300, 60)
    drawn = svg_matrix.draw(matrix, messages)
    assert (drawn.rows_left_out, drawn.columns_left_out) == (0, 0)
    side = "h9v9h-9z"  # of a small cell; the legend's squares are larger
    paths = [path for picture in drawn.pictures for path in re.findall(r'class="o-[^>]*', str(picture.svg))]
    assert sum(path.count(side) for path in paths) == len(matrix.cells)
    assert len(paths) <= 2 * len(svg.OUTCOMES) * len(drawn.pictures)


def test_matrix_leaves_the_best_rows_out_and_counts_them(messages: Messages) -> None:
    matrix = make.matrix(600, 4)
    drawn = svg_matrix.draw(matrix, messages)
    assert drawn.rows_left_out == 200
    shown = "".join(picture.svg for picture in drawn.pictures)
    bad = [row for row in matrix.targets if any(matrix.verdict(v, row).outcome != "ok" for v in matrix.vantages)]
    assert sum(f">{row.target}<" in shown for row in bad) >= 400 - 10


def test_matrix_tells_outcomes_by_marks(messages: Messages) -> None:
    picture = svg_matrix.draw(make.matrix(24, 9), messages).pictures[0].svg
    for outcome in svg.OUTCOMES:
        assert f'class="m-{outcome}"' in picture


def test_print_splits_only_when_needed(messages: Messages) -> None:
    small, landscape = svg_matrix.for_print(make.matrix(24, 9), messages)
    assert (len(small.pictures), landscape) == (1, False)
    large, landscape = svg_matrix.for_print(make.matrix(120, 60), messages)
    assert len(large.pictures) > 1
    assert landscape
    rows = [picture.rows for picture in large.pictures]
    assert rows[0][0] == 1
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(rows))


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


def test_matrix_texts_do_not_meet(messages: Messages) -> None:
    for rows, columns in ((1, 1), (24, 9), (80, 60)):
        for picture in svg_matrix.draw(make.matrix(rows, columns), messages).pictures:
            assert _meeting(_texts(ElementTree.fromstring(str(picture.svg)))) == []


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
