"""``cilium-bugtool``, one archive per node inside a sysdump: ``cmd/<command>.md``, blanks and slashes as dashes.

Plain output in spite of the suffix, or a title and a code fence. ``ss`` prints names for numbers and is not read.
"""

from __future__ import annotations

from analyzer.bundle.places import Layout, Rule

LAYOUT = Layout(
    "cilium-bugtool",
    title="cilium-bugtool",
    markers=(frozenset({"cmd/ip-a.md"}), frozenset({"cmd/ip--d-a.md"})),
    rules=(
        Rule("cmd/ip-a.md", command="ip a"),
        Rule("cmd/ip--d-a.md", command="ip -d a"),
        Rule("cmd/ip--4-r*.md", command="ip -4 route"),
        Rule("cmd/ip-rule.md", command="ip rule"),
        Rule("cmd/ip--4-rule*.md", command="ip -4 rule"),
        Rule("cmd/iptables-save--c.md", command="iptables-save -c"),
        Rule("cmd/ip6tables-save--c.md", command="ip6tables-save -c"),
        Rule("cmd/uname--a.md", command="uname -a"),
        Rule("cmd/sysctl--a.md", command="sysctl -a"),
    ),
    lacks=("ipvsadm", "conntrack", "ipset", "sockets"),
)
