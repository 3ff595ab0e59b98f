"""The words of ``--apply``: one change each, as a person would say it.

service default/web externalTrafficPolicy=Cluster
service default/web status.loadBalancer.ingress[0].ipMode=Proxy     (also ipMode=Proxy)
service default/web hostname=web.example.com
service default/web annotations.KEY=VALUE                           (KEY- or VALUE "null" removes it)
delete service default/web
k8s=1.28            k8s=1.28 NODE
proxy-mode=nftables proxy-mode=iptables NODE
endpoint add default/web NODE | endpoint remove default/web POD | endpoint move default/web POD NODE
endpoint ready default/web
drain NODE
    restart kube-proxy NODE
listener 192.168.1.200:443/tcp=10.0.0.1:443,10.0.0.2:443            (nothing behind = deletes it)
sysctl net.ipv4.vs.conntrack=1 NODE
kube-proxy masqueradeAll=true       (clusterCIDR, nodePortAddresses, scheduler, excludeCIDRs, strictARP; nothing behind = default)
patch default/web FILE
FILE                                                                manifests, or a patch that names its object
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from analyzer.errors import UsageError
from analyzer.forwarding.query import parse_target
from analyzer.snapshot.model import Snapshot
from analyzer.whatif import edits
from analyzer.whatif.edits import Edit
from analyzer.whatif.manifests import service_manifest

HOSTNAME = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-hostname"
MAX_FILE = 4 << 20
SPEC = frozenset(
    [
        "externalTrafficPolicy", "internalTrafficPolicy", "type", "sessionAffinity", "loadBalancerClass", "externalIPs",
        "loadBalancerSourceRanges", "trafficDistribution", "loadBalancerIP", "publishNotReadyAddresses",
    ]
)  # fmt: skip
LISTS = frozenset(["externalIPs", "loadBalancerSourceRanges"])
_PATH = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[(\d+)\])?")
HINT = "see ipvscope whatif --help for what can be applied"


def parse_edits(words: Sequence[str], snapshot: Snapshot) -> tuple[Edit, ...]:
    """The edits that some ``--apply`` texts mean.

    Raises:
        UsageError: a text is none of the forms above, or names a file that cannot be read.
    """
    return tuple(edit for text in words for edit in _one(text.strip(), snapshot))


def _one(text: str, snapshot: Snapshot) -> Iterator[Edit]:
    word, _, rest = text.partition(" ")
    arguments = rest.split()
    match (word, arguments):
        case ("service", [service, *changes]) if changes:
            yield from _service(service, changes, snapshot)
        case ("delete", ["service", service]):
            yield edits.DeleteService(service)
        case ("restart", ["kube-proxy", node]):
            yield edits.Resync(node)
        case ("drain", [node]):
            yield edits.DrainNode(node)
        case ("endpoint", ["add", service, node]):
            yield edits.AddEndpoint(service, node)
        case ("endpoint", ["remove", service, which]):
            yield edits.RemoveEndpoint(service, which)
        case ("endpoint", ["ready", service]):
            yield edits.ReadyPods(service)
        case ("endpoint", ["move", service, which, node]):
            yield edits.AddEndpoint(service, node)
            yield edits.RemoveEndpoint(service, which)
        case ("listener", [change]) if "=" in change:
            yield _listener(change)
        case ("sysctl", [change, *node]) if "=" in change and len(node) < 2:
            key, _, value = change.partition("=")
            yield edits.Sysctl(key, value, *node)
        case ("kube-proxy", [change]) if "=" in change:
            key, _, value = change.partition("=")
            yield edits.ProxyConfig(key, value)
        case ("patch", [service, file]):
            yield _patch(service, _documents(file))
        case _ if word.startswith("k8s=") and len(arguments) < 2:
            yield edits.Version(word.removeprefix("k8s="), *arguments)
        case _ if word.startswith("proxy-mode=") and len(arguments) < 2:
            mode = word.removeprefix("proxy-mode=")
            if mode not in ("ipvs", "iptables", "nftables"):
                raise UsageError(f"no proxy mode {mode!r}", hint="ipvs, iptables or nftables")
            yield edits.ProxyMode(mode, *arguments)  # type: ignore[arg-type]
        case _ if Path(text).is_file():
            yield from _file(text)
        case _:
            raise UsageError(f"not a change, and not a file: {text!r}", hint=HINT)


def _service(service: str, changes: Sequence[str], snapshot: Snapshot) -> Iterator[Edit]:
    patch: dict[str, Any] = {}
    before = service_manifest(snapshot, service)
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals and path.endswith("-") and path.startswith("annotations."):
            path, value = path[:-1], "null"
        elif not equals:
            raise UsageError(f"not a change of a Service: {change!r}", hint="KEY=VALUE")
        _set(patch, before, path, value)
    yield edits.PatchService(service, json.dumps(patch))


def _set(patch: dict[str, Any], before: dict[str, Any], path: str, value: str) -> None:
    if path == "hostname":
        path, value = f"annotations.{HOSTNAME}", value or "null"
    for prefix, place in (("annotations.", "annotations"), ("labels.", "labels")):
        bare = path.removeprefix("metadata.")
        if bare.startswith(prefix):
            own = patch.setdefault("metadata", {}).setdefault(place, {})
            own[bare.removeprefix(prefix)] = None if value == "null" else value
            return
    if path.endswith("ipMode") and (path == "ipMode" or path.startswith("status")):
        ingress = ((before.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        index = _PATH.search(path.split(".")[-2]) if "." in path else None
        chosen = int(index[2]) if index and index[2] else None
        made = [
            {**one, "ipMode": value} if "ip" in one and chosen in (None, position) else one
            for position, one in enumerate(ingress)
        ]
        if not made:
            raise UsageError("the Service publishes no address that could have an ipMode")
        patch.setdefault("status", {}).setdefault("loadBalancer", {})["ingress"] = made
        return
    names = path.removeprefix("spec.").split(".")
    if names[0] not in SPEC or len(names) > 1:
        raise UsageError(f"no field {path!r} that can be changed by a word", hint="use a patch in a file for the rest")
    patch.setdefault("spec", {})[names[0]] = (
        None if value == "null" else value.split(",") if names[0] in LISTS else value
    )


def _listener(change: str) -> Edit:
    where, _, servers = change.partition("=")
    target = parse_target(where)
    backends = tuple((one.address, one.port) for one in map(parse_target, filter(None, servers.split(","))))
    return edits.SetListener(target.address, target.port, target.protocol, backends)


def _documents(file: str) -> list[Any]:
    try:
        path = Path(file)
        if path.stat().st_size > MAX_FILE:
            raise UsageError("larger than a change can be", where=file)
        return [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one is not None]
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=file) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"neither JSON nor YAML: {str(error).splitlines()[0]}", where=file) from None


def _patch(service: str, documents: list[Any]) -> Edit:
    if len(documents) != 1 or not isinstance(documents[0], dict | list):
        raise UsageError("a patch is one JSON or YAML document")
    return edits.PatchService(service, json.dumps(documents[0]), "json" if isinstance(documents[0], list) else "merge")


def _file(file: str) -> Iterator[Edit]:
    items: list[Any] = []
    for document in _documents(file):
        listed = (
            document.get("items")
            if isinstance(document, dict) and str(document.get("kind", "")).endswith("List")
            else None
        )
        items.extend(listed if isinstance(listed, list) else [document])
    others = []
    for item in items:
        metadata = item.get("metadata") if isinstance(item, dict) else None
        if not isinstance(metadata, dict) or not metadata.get("name") or not item.get("kind"):
            raise UsageError(
                "a document without kind and name", where=file, hint="for a patch: --apply 'patch NS/NAME FILE'"
            )
        if item["kind"] == "Service":
            name = f"{metadata.get('namespace') or 'default'}/{metadata['name']}"
            ports = (item.get("spec") or {}).get("ports") if isinstance(item.get("spec"), dict) else None
            # Without ports it is no whole Service: what kubectl patch (or apply with a part) would be given.
            yield edits.PutService(json.dumps(item)) if ports else edits.PatchService(name, json.dumps(item))
        else:
            others.append(item)
    if others:
        yield edits.PutObjects(json.dumps(others))
