"""``iptables-xml`` back into the text of ``iptables-save``, and ``ipset list -o xml`` into that of ``ipset save``.

A rule's conditions are grouped by match module, ``match`` for the plain options; negation is ``invert="1"``::

    <rule><conditions><match><s invert="1">192.0.2.0/24</s></match></conditions><actions><RETURN/></actions></rule>

>>> print(iptables_text('<r><table name="nat"><chain name="A" policy="-"><rule><conditions><match><s>192.0.2.1</s></match>'
...                     '</conditions><actions><call><B/></call></actions></rule></chain></table></r>'), end="")
*nat
:A - [0:0]
-A A -s 192.0.2.1 -j B
COMMIT
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml


def tree(text: str) -> Xml.Element | None:
    """The document, or nothing when it is none; documents that declare entities are refused unread."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        return Xml.fromstring(text)  # noqa: S314 - declarations are refused above
    except Xml.ParseError:
        return None


def iptables_text(text: str) -> str | None:
    """All tables as ``iptables-save`` prints them; nothing when the text is no such document."""
    root = tree(text)
    if root is None:
        return None
    lines: list[str] = []
    for table in root.iter("table"):
        chains = list(table.iter("chain"))
        lines.append(f"*{table.get('name', '')}")
        for chain in chains:
            counts = f"[{chain.get('packet-count', '0')}:{chain.get('byte-count', '0')}]"
            lines.append(f":{chain.get('name', '')} {chain.get('policy') or '-'} {counts}")
        for chain in chains:
            lines += [_rule(chain.get("name", ""), rule) for rule in chain.iter("rule")]
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)


def _rule(chain: str, rule: Xml.Element) -> str:
    words = [f"[{rule.get('packet-count')}:{rule.get('byte-count', '0')}]"] if rule.get("packet-count") else []
    words += ["-A", chain]
    for group in rule.findall("conditions/*"):
        if group.tag != "match":
            words += ["-m", group.tag]
        words += _options(group)
    for action in rule.findall("actions/*"):
        if action.tag in ("call", "goto"):
            words += ["-j" if action.tag == "call" else "-g", *(child.tag for child in action)]
        else:
            words += ["-j", action.tag, *_options(action)]
    return " ".join(words)


def _options(group: Xml.Element) -> list[str]:
    words: list[str] = []
    for option in group:
        if option.get("invert"):
            words.append("!")
        words.append(("-" if len(option.tag) == 1 else "--") + option.tag)
        if option.text and option.text.strip():
            words.append(" ".join(option.text.split()))
    return words


def ipset_text(text: str) -> str | None:
    """All sets as ``ipset save`` prints them; nothing when the text is no such document."""
    root = tree(text)
    if root is None:
        return None
    lines: list[str] = []
    for one in root.iter("ipset"):
        family = one.findtext("header/family")
        kind = one.findtext("type") or ""
        lines.append(f"create {one.get('name', '')} {kind}" + (f" family {family}" if family else ""))
        for member in one.findall("members/member"):
            lines.append(f"add {one.get('name', '')} {(member.findtext('elem') or member.text or '').strip()}")
    return "".join(f"{line}\n" for line in lines)
