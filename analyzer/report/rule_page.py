"""What a rule is, as a page: for ``ipvscope rules ID`` and for docs/rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from analyzer.findings.policy import OTHER_RULES, known_ids
from analyzer.findings.registry import Rule, rules
from analyzer.report.messages import Messages

EXAMPLES = Path(__file__).resolve().parent.parent / "findings" / "examples"


def rule_ids() -> tuple[str, ...]:
    """All ids a finding can have, sorted."""
    return tuple(sorted(known_ids()))


def rule_line(rule_id: str, messages: Messages) -> str:
    """The id and the title, with the names of its values in braces."""
    return f"{rule_id}  {messages.template(f'finding.{rule_id}.title')}"


def rule_page(rule_id: str, messages: Messages) -> str:
    """The page of one rule as Markdown.

    Raises:
        KeyError: there is no such rule.
    """
    if rule_id not in known_ids():
        raise KeyError(rule_id)
    rule = next((one for one in rules() if one.id == rule_id), None)
    lines = [f"# {rule_id}", "", f"**{messages.template(f'finding.{rule_id}.title')}**", ""]
    lines += [messages.template(f"finding.{rule_id}.text"), ""]
    if rule is not None:
        lines += [_why(rule), "", f"## {messages.text('rules.about')}", "", _module(rule), ""]
    lines += _example(rule_id, messages)
    needs = ", ".join(f"`{need}`" for need in rule.needs) if rule is not None and rule.needs else "–"
    lines += [f"## {messages.text('rules.needs')}", "", messages.text("rules.needs-text", needs=needs), ""]
    return "\n".join(lines)


def example_of(rule_id: str) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """A finding of the rule as the tests see it on a recorded cluster: its values, and (place, line) of its evidence."""
    path = EXAMPLES / f"{rule_id}.json"
    loaded = json.loads(path.read_text("utf-8")) if path.exists() else {"values": {}, "evidence": []}
    return loaded["values"], tuple((str(place), str(line)) for place, line in loaded["evidence"])


def _example(rule_id: str, messages: Messages) -> list[str]:
    values, evidence = example_of(rule_id)
    if not values:
        return []
    title = messages.text(f"finding.{rule_id}.title", **values)
    lines = [
        f"## {messages.text('rules.example')}",
        "",
        f"> **{title}**",
        ">",
        f"> {messages.text(f'finding.{rule_id}.text', **values)}",
        "",
    ]
    if evidence:
        width = max(len(place) for place, _ in evidence)
        lines += ["```text", *(f"{place:{width}}  {line}".rstrip() for place, line in evidence), "```", ""]
    return lines


def _why(rule: Rule) -> str:
    return " ".join((rule.check.__doc__ or "").split())


def _module(rule: Rule) -> str:
    """The docstring of the rule's file: what the fault is and how it is recognised."""
    text = sys.modules[rule.check.__module__].__doc__ or ""
    return "\n".join(line.strip() for line in text.strip().splitlines())


__all__ = ["OTHER_RULES", "rule_ids", "rule_line", "rule_page"]
