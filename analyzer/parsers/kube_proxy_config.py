"""The configuration of kube-proxy, inside a ConfigMap or as a file of its own: table proxy_configs.

Source: `kubeproxy.config.k8s.io/v1alpha1` (KubeProxyConfiguration). One line shows the shape::

    mode: ipvs

A ConfigMap holds it as text under `config.conf` (kubeadm, ACK), `config` (EKS) or `kube-proxy.conf`.

>>> row, problem = proxy_config_row("kube-proxy", "kind: KubeProxyConfiguration\\nmode: ipvs\\nipvs: {strictARP: true}")
>>> row[1], row[4], problem
('ipvs', True, '')
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from analyzer.parsers.kube_lenient import project
from analyzer.parsers.kube_structs import Api, Int32
from analyzer.parsers.yaml_events import YamlTrouble, load

_KEYS = re.compile(r"^(?:config|.*\.(?:conf|ya?ml))$")
_KIND = re.compile(r"^[ \t]*\"?kind\"?:[ \t]*[\"']?KubeProxyConfiguration\b", re.MULTILINE)
_BODY = re.compile(r"^(?:mode|ipvs|clusterCIDR|iptables|bindAddress|nodePortAddresses):", re.MULTILINE)
_NAMES = {
    "cluster_cidr": "clusterCIDR",
    "strict_arp": "strictARP",
    "exclude_cidrs": "excludeCIDRs",
}


def _name(field: str) -> str:
    head, *rest = field.split("_")
    return _NAMES.get(field) or head + "".join(part.capitalize() for part in rest)


class Iptables(Api, rename=_name):
    masquerade_all: bool | None = None
    masquerade_bit: Int32 | None = None


class Ipvs(Api, rename=_name):
    scheduler: str | None = None
    strict_arp: bool | None = None
    exclude_cidrs: list[str] | None = None


class DetectLocal(Api, rename=_name):
    bridge_interface: str | None = None
    interface_name_prefix: str | None = None


class ProxyConfig(Api, rename=_name):
    """The fields that change what the node does with a packet."""

    kind: str | None = None
    mode: str | None = None
    cluster_cidr: str | None = None
    ipvs: Ipvs | None = None
    iptables: Iptables | None = None
    node_port_addresses: list[str] | None = None
    detect_local_mode: str | None = None
    detect_local: DetectLocal | None = None
    feature_gates: dict[str, bool] | None = None


def is_proxy_config(text: str) -> bool:
    """Whether a text is (the beginning of) a KubeProxyConfiguration."""
    return ("KubeProxyConfiguration" in text and bool(_KIND.search(text))) or len(set(_BODY.findall(text))) > 2


def config_texts(name: str, data: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keys of a kube-proxy ConfigMap that hold a KubeProxyConfiguration."""
    if name.startswith("kube-proxy"):
        for key, text in data.items():
            if _KEYS.search(key) and (_KIND.search(text) or _BODY.search(text)):
                yield key, text


def proxy_config_row(name: str | None, text: str) -> tuple[tuple[Any, ...] | None, str]:
    """A row without `file` and `line`, and what was wrong with the text (empty when nothing was).

    The mode is empty where a whole document does not name one (the default), and null where the text is
    cut or unreadable, so that the default is never assumed for a fragment.
    """
    lost: list[str] = []
    problem = ""
    try:
        document = load(text, ProxyConfig)
    except YamlTrouble as trouble:
        document, problem = _prefix(text), f"not readable from line {trouble.line} on: {trouble}"
    if not isinstance(document, dict):
        return None, problem or "no mapping"
    config = project(document, ProxyConfig, "", lost)
    if not isinstance(config, ProxyConfig):
        return None, "no mapping"
    whole = not problem and config.kind == "KubeProxyConfiguration"
    if not whole and config.mode is None and not problem:
        problem = "a fragment without kind and mode: the mode is unknown"
    if lost:
        problem = "; ".join([*([problem] if problem else []), *lost])
    ipvs, iptables, local = config.ipvs or Ipvs(), config.iptables or Iptables(), config.detect_local or DetectLocal()
    gates = config.feature_gates
    unread_mode = "mode" in {path.partition(":")[0] for path in lost}
    mode = config.mode if config.mode is not None else ("" if whole and not unread_mode else None)
    row = (
        name, mode, config.cluster_cidr, ipvs.scheduler, ipvs.strict_arp, ",".join(ipvs.exclude_cidrs or ()) or None,
        iptables.masquerade_all, iptables.masquerade_bit, ",".join(config.node_port_addresses or ()) or None,
        config.detect_local_mode or None, local.bridge_interface or None, local.interface_name_prefix or None,
        msgspec.json.encode(dict(sorted(gates.items()))).decode() if gates else None,
    )  # fmt: skip
    return row, problem


def _prefix(text: str) -> Any:
    """What can be read of a damaged document: its longest beginning, up to a line at column 0, that loads."""
    lines = text.splitlines()
    starts = [n for n, line in enumerate(lines) if line and not line[0].isspace()]
    for end in reversed(starts[-64:]):
        try:
            document = load("\n".join(lines[:end]), ProxyConfig)
        except YamlTrouble:
            continue
        if isinstance(document, dict):
            return document
    return None
