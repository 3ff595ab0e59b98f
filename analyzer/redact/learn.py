"""Which names are somebody's: read from the tables of the snapshot, and from the text where a key says that a name follows.

Both, because the tables hold only what the analysis needs, and the text also holds what it does not understand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from analyzer.bundle import Bundle
from analyzer.kubeproxy.service_plan import hashed
from analyzer.redact.book import Book
from analyzer.redact.contexts import known_key
from analyzer.redact.scanner import QUAD, Scanner, plain
from analyzer.redact.text import Chunks, is_binary
from analyzer.redact.vocabulary import SYSTEM_NAMESPACES
from analyzer.snapshot import Snapshot

_NAMED = (
    ("nodes", ("name",)),
    ("pods", ("namespace", "name", "node_name", "owner", "named_ports")),
    ("services", ("namespace", "name", "ingress_hostnames")),
    ("service_ports", ("namespace", "service", "port_name", "target_port")),
    ("endpoints", ("namespace", "service", "node_name", "target", "port_name", "object")),
    ("daemonsets", ("namespace", "name")),
    ("events", ("namespace", "name")),
    ("load_balancers", ("name", "dns_name")),
)
_OBJECTS = frozenset({"name", "namespace", "node_name", "service"})
_LABELLED = (("nodes", "labels"), ("pods", "labels"), ("services", "labels"), ("services", "selector"), ("daemonsets", "labels"))
_KEYS = (
    "name|namespace|nodeName|generateName|hostname|hostName|host|serviceName|serviceAccount|serviceAccountName|externalName|clusterName|"
    "cluster|user|username|secretName|claimName|subdomain|domain|server|nodename|node|context|dnsName|DNSName|"
    "LoadBalancerName|VServerGroupName|ServerGroupName|InstanceName|TagKey|TagValue|VpcName|VSwitchName|AclName|Description|clusterId|ClusterId"
)
_KEYED = re.compile(
    rf"(?<![A-Za-z0-9_./-])(?:{_KEYS})(?:\\*[\"'])?[ \t]*[:=][ \t]*\\*[\"']?(?P<value>[A-Za-z0-9][A-Za-z0-9 ._/:@*-]{{0,252}})"
)
_LISTED = re.compile(r"\"(?:hosts|hostnames|nodes_expected|nodes_present|dnsNames)\"\s*:\s*\[(?P<value>[^\]]{1,20000})\]")
_NETNS = re.compile(r"link-netns (?P<value>[A-Za-z0-9._-]{2,64})")
_UNAME = re.compile(r"(?m)^Linux (?P<value>[A-Za-z0-9._-]{2,64}) [0-9]+\.[0-9]+")
_PROMPT = re.compile(r"(?m)^\[?[a-z_][a-z0-9_-]{0,31}@(?P<value>[A-Za-z0-9][A-Za-z0-9._-]{1,62})[ :][^\n]{0,80}[#$] ")
_SYSLOG = re.compile(r"(?m)^(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9-]{5}T[0-9:.+Z-]{8,20}) (?P<value>[A-Za-z0-9][A-Za-z0-9._-]{1,62}) [A-Za-z._-]+(?:\[[0-9]+\])?:")
_IMAGE = re.compile(r"(?<![A-Za-z0-9])image(?:\\*[\"'])?:[ \t]*\\*[\"']?(?P<value>[A-Za-z0-9][A-Za-z0-9._/:@-]{2,252})")
_MAPS = re.compile(r"\"(?:labels|matchLabels|selector|nodeSelector)\"\s*:\s*\{(?P<value>[^{}]{1,20000})\}")
_PAIR = re.compile(r"\"((?:[^\"\\]|\\.)*)\"\s*:\s*\"((?:[^\"\\]|\\.)*)\"")
_YAML_MAPS = re.compile(r"(?m)^( *)(?:- )?(?:labels|matchLabels|selector|nodeSelector):[ \t]*\n(?P<value>(?:\1[ ]+[^\n:]+:[^\n]*\n)+)")
_YAML_PAIR = re.compile(r"(?m)^ +[\"']?([^\s:\"']+)[\"']?: *[\"']?([^\"'\n]*)")
_DESCRIBED = re.compile(r"(?m)^(?:Labels|Selector|Annotations|Node-Selectors): +(?P<value>[^\n]*(?:\n {4,}[^\n]*)*)")
_DESCRIBED_PAIR = re.compile(r"(?m)^ *([^\s=:]+)(?:=|: )(\S[^\n]*)$")
_NAMELINE = re.compile(r"(?m)^(?:Name|Namespace|Node|Hostname|Controlled By|Service Account): +(?P<value>[A-Za-z0-9][^\s]{0,252})")
_ANNOTATION_KEYS = re.compile(r"\"annotations\"\s*:\s*\{((?:\s*\"(?:[^\"\\]|\\.)*\"\s*:\s*\"(?:[^\"\\]|\\.)*\"\s*,?)*)\s*\}")
_PUBLIC_IMAGES = re.compile(
    r"[a-z0-9._-]+(?::[A-Za-z0-9._-]+)?(?:@sha256:[0-9a-f]+)?|"
    r"(?:docker\.io/|registry\.k8s\.io/|k8s\.gcr\.io/|gcr\.io/google|quay\.io/(?:coreos|calico|cilium|tigera|metallb|prometheus)|ghcr\.io/|"
    r"registry[a-z0-9.-]*aliyuncs\.com/(?:acs|aliyun|google_containers)/|public\.ecr\.aws/|[0-9]+\.dkr\.ecr\.|mcr\.microsoft\.com/).*"
)
_TOP = "com|net|org|cn|cloud|internal|corp|lan|info|biz|edu|gov|co|me|ai|hk|sg|jp|kr|tw|de|uk|fr|us|eu|ru|tech|xyz|site|online|app|dev|top|vip|intra"
_HOST = re.compile(rf"(?<![A-Za-z0-9._/-])(?P<value>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.){{1,6}}(?:{_TOP}|io|local))(?![A-Za-z0-9_-]|\.[A-Za-z0-9])")
_PUBLIC_HOSTS = re.compile(
    r"(?i)(?:.*\.)?(?:kubernetes\.io|k8s\.io|aliyuncs\.com|alibabacloud\.com|aliyun\.com|docker\.io|docker\.com|gcr\.io|ghcr\.io|quay\.io|github\.com|"
    r"githubusercontent\.com|cluster\.local|svc\.local|coreos\.com|projectcalico\.org|cilium\.io|istio\.io|amazonaws\.com|amazon\.com|"
    r"golang\.org|google\.com|googleapis\.com|microsoft\.com|redhat\.com|ubuntu\.com|debian\.org|kernel\.org|netfilter\.org|rancher\.io|"
    r"cattle\.io|longhorn\.io|openshift\.io|helm\.sh|cert-manager\.io|metallb\.io|x-k8s\.io|cncf\.io|ec2\.internal|compute\.internal|example\.com|prometheus\.io)"
)
_VALUES = (_NETNS, _UNAME, _PROMPT, _SYSLOG, _NAMELINE)


def learn_tables(snapshot: Snapshot, book: Book) -> None:
    """Names of all objects the analysis knows. Names of nodes, also of those without an object."""
    for node in snapshot.node_names:
        book.learn(node)
    for table, columns in _NAMED:
        if table not in snapshot.tables:
            continue
        frame = snapshot[table]
        for column in columns:
            if column in frame.columns:
                for value in frame[column].dropna().astype(str).unique():
                    for part in re.split(r"[/,=]", value):
                        _name(part, book, named=column in _OBJECTS)
    for table, column in _LABELLED:
        if table in snapshot.tables and column in snapshot[table].columns:
            for value in snapshot[table][column].dropna().astype(str).unique():
                _labels(value, book)


def _name(name: str, book: Book, *, named: bool = False) -> None:
    if name not in SYSTEM_NAMESPACES:
        book.learn(name, named=named)


def _labels(text: str, book: Book) -> None:
    try:
        labels = json.loads(text)
    except ValueError:
        return
    for key, value in labels.items() if isinstance(labels, dict) else ():
        label(str(key), str(value), book)


_PLAIN_LABELS = re.compile(
    r"(?:.*/)?(?:arch|os|instance-type|region|zone|role|roles|component|tier|managed-by|version|master|control-plane|worker|"
    r"controller-revision-hash|pod-template-generation|provider|created-by)|node-role\..*|beta\.kubernetes\.io/.*"
)


def label(key: str, value: str, book: Book) -> None:
    """One label: the value of a customer's key is a name; the key too, unless it is one everybody uses."""
    if not known_key(key):
        domain, slash, _ = key.partition("/")
        if slash:
            book.learn(domain)
        elif key not in _COMMON_KEYS:
            book.learn(key)
    if not _PLAIN_LABELS.fullmatch(key):
        _name(value, book)


_COMMON_KEYS = frozenset("app k8s-app name component tier role release chart heritage version env environment".split())


def learn_text(text: str, book: Book) -> None:
    """Names in a piece of any member."""
    if ":" in text or "=" in text:
        for match in _KEYED.finditer(text):
            _name(match["value"].rstrip(" :"), book)
        for match in _LISTED.finditer(text):
            _each(re.findall(r"[A-Za-z0-9._-]+", match["value"]), book)
        for match in _IMAGE.finditer(text):
            if not _PUBLIC_IMAGES.fullmatch(match["value"]):
                book.learn(match["value"].partition("@")[0].rpartition(":")[0] or match["value"])
        for whole in _MAPS.finditer(text):
            for pair in _PAIR.finditer(whole["value"]):
                label(pair[1], pair[2], book)
        for whole in _YAML_MAPS.finditer(text):
            for pair in _YAML_PAIR.finditer(whole["value"]):
                label(pair[1], pair[2].strip(), book)
        for whole in _DESCRIBED.finditer(text):
            for pair in _DESCRIBED_PAIR.finditer(whole["value"]):
                label(pair[1], pair[2], book)
        for whole in _ANNOTATION_KEYS.finditer(text):
            for pair in _PAIR.finditer(whole[1]):
                domain, slash, _ = pair[1].partition("/")
                if not known_key(pair[1]):
                    book.learn(domain if slash else pair[1])
    for pattern in _VALUES:
        for match in pattern.finditer(text):
            _name(match["value"], book)
    if "." in text:
        for match in _HOST.finditer(text):
            learn_host(match["value"], book)


def learn_host(host: str, book: Book) -> None:
    """A host name: its own labels are names, the top-level domain and domains of the public are not."""
    if _PUBLIC_HOSTS.fullmatch(host):
        own = host[: host.lower().rfind(".svc")] if ".svc." in host.lower() else ""
        for part in own.split(".") if own else ():
            _name(part, book)
        return
    for part in host.split(".")[:-1]:
        _name(part, book)


def _each(values: Iterable[str], book: Book) -> None:
    for value in values:
        _name(value, book)


def learn(bundle: Bundle, snapshot: Snapshot, book: Book) -> set[bytes]:
    """Fill the book from a bundle; gives the IPv4 addresses that occur (packed), to know them in hexadecimal."""
    learn_tables(snapshot, book)
    addresses: set[bytes] = set()
    for member in bundle.members:
        data = member.read()
        for chunk in () if is_binary(data) else Chunks(data):
            text = plain(chunk)
            learn_text(text, book)
            addresses.update(_quads(text))
    return addresses


def learn_hashes(snapshot: Snapshot, scanner: Scanner) -> None:
    """Chains of kube-proxy are named after hashes of names: each becomes the hash of the images of these names."""
    for service in snapshot.objects.services:
        for port in service.ports:
            name = service.id + (f":{port.name}" if port.name else "")
            readable = f"{service.id}/{port.protocol}/{port.name}"
            rows = [((name, port.protocol), 16), ((readable,), 8)]
            for end in {(one.address, one.port) for one in service.endpoints}:
                place = f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"
                rows.append(((name, port.protocol, place), 16))
            for parts, length in rows:
                image = hashed(*map(scanner.text, parts))[:length]
                if (old := hashed(*parts)[:length]) != image:
                    scanner.book.fixed[old] = image


def _quads(text: str) -> Iterator[bytes]:
    for quad in {match["quad"] for match in QUAD.finditer(text)}:
        numbers = re.split("[._-]", quad)
        if all(int(one) < 256 for one in numbers):
            packed = bytes(map(int, numbers))
            if 0 < packed[0] < 224 and packed[0] != 127:
                yield packed
