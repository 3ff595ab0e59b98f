"""Write the generated pages: docs/tables.md (declared tables) and docs/findings.md (rules with their texts).

``make_docs.py --check`` exits with 1 when a page is not what it should be.
"""

from __future__ import annotations

import sys
from pathlib import Path

from analyzer.findings.registry import rules
from analyzer.report.messages import Messages
from analyzer.tables import TABLES

DOCS = Path(__file__).parent.parent / "docs"


def tables_page() -> str:
    lines = [
        "# Tables",
        "",
        "Generated from `analyzer/tables.py` by `scripts/make_docs.py`. `ipvscope inspect BUNDLE -t NAME` prints one; in Python",
        '`snapshot["NAME"]` is the pandas DataFrame. Null means unknown, never "none".',
        "",
    ]
    for schema in TABLES.values():
        lines += [
            f"## {schema.name}",
            "",
            f"A row is {schema.row}.",
            "",
            "| column | dtype | unit | meaning |",
            "|---|---|---|---|",
        ]
        lines += [f"| {c.name} | {c.dtype} | {c.unit} | {c.meaning.replace('|', '&#124;')} |" for c in schema.columns]
        lines.append("")
    return "\n".join(lines)


def findings_page() -> str:
    messages = Messages("en")
    lines = [
        "# Findings",
        "",
        "Generated from the rules in `analyzer/findings/rules` and the message catalogue by `scripts/make_docs.py`. Words in braces are",
        "filled from the bundle. *Needs* names the captures or objects without which a rule is skipped (and listed as skipped).",
        "",
    ]
    ids = sorted({one.id for one in rules()} | {"MODE-002"})
    needs = {one.id: one.needs for one in rules()}
    why = {one.id: (one.check.__doc__ or "").strip() for one in rules()}
    for rule in ids:
        title = messages.template(f"finding.{rule}.title")
        text = messages.template(f"finding.{rule}.text")
        lines += [f"## {rule}", "", f"**{title}**", ""]
        if why.get(rule):
            lines += [why[rule], ""]
        lines += [text, "", f"*Needs*: {', '.join(needs.get(rule, ())) or 'nothing'}", ""]
    return "\n".join(lines)


def main() -> int:
    pages = {"tables.md": tables_page(), "findings.md": findings_page()}
    stale = [
        name for name, text in pages.items() if not (DOCS / name).exists() or (DOCS / name).read_text("utf-8") != text
    ]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/{name} is not up to date: run scripts/make_docs.py", file=sys.stderr)
        return 1 if stale else 0
    for name, text in pages.items():
        (DOCS / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
