"""``rules``: what can be found, and what one finding means."""

from __future__ import annotations

from analyzer.errors import UsageError


def run(rule: str, lang: str) -> int:
    """List the rules, or explain one."""
    from analyzer.cli.words import words
    from analyzer.report.rule_page import rule_ids, rule_line, rule_page

    messages = words(lang)
    if not rule:
        print("\n".join(rule_line(one, messages) for one in rule_ids()))
        return 0
    try:
        print(rule_page(rule.upper(), messages), end="")
    except KeyError:
        raise UsageError(f"no rule {rule!r}", hint="ipvscope rules lists them") from None
    return 0
