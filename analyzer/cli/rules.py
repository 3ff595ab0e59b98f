"""``rules``: what can be found, and what one finding means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyzer.cli import out
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.report.messages import Messages


def run(rule: str, lang: str, *, as_json: bool = False) -> int:
    """List the rules, or explain one."""
    from analyzer.cli.words import words
    from analyzer.report.rule_page import rule_ids, rule_line, rule_page

    messages = words(lang)
    wanted = rule.upper()
    if wanted and wanted not in rule_ids():
        raise UsageError(f"no rule {rule!r}", hint="ipvscope rules lists them")
    if as_json:
        listed = [_plain(one, messages) for one in ([wanted] if wanted else rule_ids())]
        out.document({"schema": "ipvscope-rules/1", "rules": listed})
    elif not wanted:
        out.say("\n".join(rule_line(one, messages) for one in rule_ids()))
    elif out.styled():
        from rich.markdown import Markdown

        out.console().print(Markdown(rule_page(wanted, messages), hyperlinks=False))
    else:
        out.say(rule_page(wanted, messages), end="")
    return 0


def _plain(rule: str, messages: Messages) -> dict[str, Any]:
    """Of a rule outside the registry (intent files, symptoms) severities, fixes and needs are empty."""
    from analyzer.findings.registry import rules

    known = next((one for one in rules() if one.id == rule), None)
    return {
        "rule": rule,
        "title": messages.template(f"finding.{rule}.title"),
        "text": messages.template(f"finding.{rule}.text"),
        "severities": list(known.severities) if known else [],
        "fixes": list(known.fixes) if known else [],
        "needs": list(known.needs) if known else [],
    }
