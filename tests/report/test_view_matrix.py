"""The matrix by classes: nothing is lost, what fails is shown first, a large cluster stays a small page."""

from __future__ import annotations

import dataclasses

from analyzer.forwarding.classes import classes
from analyzer.forwarding.matrix_model import Matrix, MatrixTarget, Vantage
from analyzer.forwarding.model import Source, Target
from analyzer.report import html
from analyzer.report.analysis import Analysis
from analyzer.report.limits import PAPER, SCREEN
from analyzer.report.messages import Messages
from analyzer.report.view_matrix import MARKS, matrix_view

from . import make


def large(nodes: int) -> Matrix:
    """Nodes with a pod each; every tenth node is refused at port 443, the last one times out everywhere."""
    targets = tuple(MatrixTarget(Target("203.0.113.10", port), "load-balancer", "shop/web") for port in (80, 443))
    vantages = tuple(
        one
        for number in range(nodes)
        for one in (
            Vantage(Source("node", f"node-{number:04d}"), "node", f"node-{number:04d}"),
            Vantage(Source("pod", f"shop/client-{number:04d}"), "pod", f"node-{number:04d}"),
        )
    )
    cells = {}
    for number, vantage in enumerate(vantages):
        for row in targets:
            bad = (
                "timeout"
                if number >= 2 * nodes - 2
                else "refused"
                if row.target.port == 443 and number % 20 < 2
                else "ok"
            )
            cells[vantage.source, row.target] = make.verdict(bad)
    return Matrix(targets, vantages, cells)


def test_a_thousand_nodes_are_a_few_classes() -> None:
    matrix = large(1000)
    grouped = classes(matrix)
    assert len(grouped.columns) == 6
    assert sum(len(column) for column in grouped.columns) == 2000
    assert sum(grouped.size(*place) for place in grouped.cells) == len(matrix.cells)


def test_every_cell_says_what_the_matrix_says() -> None:
    matrix = make.matrix(24, 9)
    grouped = classes(matrix)
    for (row, column), verdict in grouped.cells.items():
        for target in grouped.rows[row]:
            for vantage in grouped.columns[column]:
                assert matrix.verdict(vantage, target).outcome == verdict.outcome


def test_rows_keep_their_service_and_columns_put_the_outside_last() -> None:
    grouped = classes(make.matrix(24, 9))
    services = [group[0].service for group in grouped.rows]
    assert len(set(services)) == sum(one != before for one, before in zip(services, [None, *services], strict=False))
    assert grouped.columns[-1][0].kind == "external"


def test_marks_tell_outcomes_apart_without_colour() -> None:
    assert len(set(MARKS.values())) == len(MARKS)


def test_a_large_cluster_stays_a_small_page(analysis: Analysis, messages: Messages) -> None:
    big = dataclasses.replace(analysis, matrix=large(1000), traces={})
    page = html.render(big, messages)
    assert len(page.encode()) < 3_000_000
    assert page.count('class="o-refused') >= 2
    assert "node-0999" in page


def test_left_out_rows_are_those_that_work_and_are_counted(analysis: Analysis, messages: Messages) -> None:
    limits = dataclasses.replace(PAPER, matrix_rows=5)
    view = matrix_view(analysis, messages, limits)
    assert len(view.rows) == 5
    assert view.rows_left_out == len(analysis.classes.rows) - 5
    assert not any(row.fine for row in view.rows)


def test_paper_splits_columns_into_bands(analysis: Analysis, messages: Messages) -> None:
    view = matrix_view(analysis, messages, dataclasses.replace(PAPER, matrix_columns=4))
    assert view.bands[0] == (0, 4)
    assert view.bands[-1][1] == len(view.columns)


def test_an_excerpt_has_the_rows_of_its_cells_and_marks_them(analysis: Analysis, messages: Messages) -> None:
    cells = set(make.failing())
    view = matrix_view(analysis, messages, SCREEN, cells)
    assert 0 < len(view.rows) < len(analysis.classes.rows)
    assert view.rows_fine == len(analysis.classes.rows) - len(view.rows)
    here = [cell for row in view.rows for cell in row.cells if cell.here]
    assert here
    assert all(cell.outcome == "refused" for cell in here)


def test_cells_link_to_traces_on_a_screen_only(analysis: Analysis, messages: Messages) -> None:
    def linked(limits: object) -> int:
        return sum(bool(cell.link) for row in matrix_view(analysis, messages, limits).rows for cell in row.cells)  # type: ignore[arg-type]

    assert linked(SCREEN) == len(analysis.traces)
    assert linked(PAPER) == 0
