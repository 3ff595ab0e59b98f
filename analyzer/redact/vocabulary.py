"""The words that stay: those by which ipvscope knows a format, and those that name no customer.

A Service called `tcp` cannot be renamed everywhere without destroying every capture. So a word stays when a parser or a
model knows it by name; these are found in the code itself, so that a new parser needs no list kept up by hand.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_WORD = re.compile(r"[A-Za-z0-9]+")
_COMPOUND = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)+")
_ROOMS = (
    "bundle",
    "parsers",
    "snapshot",
    "kubeproxy",
    "forwarding",
    "whatif",
    "observations",
    "findings",
    "intent",
    "remedies",
)

SYSTEM_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})

_COMPONENTS = """
ack agent alb aliyun aliyuncs alibaba alibabacloud allocated apiserver arms attacher autoscaler aws azure bootstrap bridge calico canary
ccm cilium cloud cloudprovider clusterrole cni com containerd controllers coredns cri csi daemon detector docker driver
ebs ecs eci edge eks elb eni eniip eniipam etcd flannel gcr gke helm hub ingress io ipam ipvlan k8s k3s keepalived kindnet kube
kubeadm kubelet kubernetes kubeproxy kubeskoop kuberouter lease library local logtail manager master metallb metrics
multus nas nlb node nodelocal npd openebs operator org oss plugin pod podman pools problem proxy quay rancher recycler
registry resizer router runc scheduler server sig slb snapshotter speaker storage svc terway tigera typha udev vpc weave worker x86
www zone amd64 arm64 linux windows debian ubuntu centos rhel alinux
"""
_PLACES = """
cn hangzhou shanghai qingdao beijing zhangjiakou huhehaote wulanchabu shenzhen heyuan guangzhou chengdu nanjing fuzhou hongkong
finance gov ap us eu me na sa af ca il mx southeast northeast northwest southwest north south east west central asia europe
"""
_ENGLISH = """
a about after again all also an and any are as at be because been before being but by can cannot could did do does done for from had has
have how if in into is it its just may might more most must no nor not now of off on once only or other our out over own same should
so some such than that the their them then there these they this those to too under until up was we were what when where which
while who why will with would yes you your true false null none unknown
bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var local share log logs
http https tcp udp sctp icmp dns web grpc ssh ftp tls ssl json yaml txt conf config csv xml html md gz tar zip
jan feb mar apr jun jul aug sep oct nov dec mon tue wed thu fri sat sun utc gmt cst
redacted example password secret token key url path env app service
"""
# A name of one of these words alone says nothing, so it is worth nothing to hide it (`web` is a Service of half the world)
# and much to keep it readable: it is a word of ports, paths and log lines.


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """All words that stay, in lower case."""
    words = set((_COMPONENTS + _PLACES + _ENGLISH).replace("-", " ").split())
    words.update(word.lower() for text in _texts() for word in _WORD.findall(text))
    return frozenset(words)


@lru_cache(maxsize=1)
def longest() -> int:
    """Letters of the longest of them."""
    return max(map(len, vocabulary()))


@lru_cache(maxsize=1)
def compounds() -> frozenset[str]:
    """Joined words that stay as a whole (``kube-proxy``, ``ip-addr``), in lower case."""
    return frozenset(one.lower() for text in _texts() for one in _COMPOUND.findall(text))


@lru_cache(maxsize=1)
def _texts() -> tuple[str, ...]:
    package = files("analyzer")
    return tuple(text for room in _ROOMS for text in _sources(package / room))


def _sources(folder: Traversable) -> list[str]:
    """The string constants of all modules of a room, without docstrings."""
    found: list[str] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _sources(entry)
        elif entry.name.endswith(".py"):
            found += _constants(ast.parse(entry.read_bytes()))
    return found


def _constants(tree: ast.AST) -> list[str]:
    told: set[int] = set()
    found: list[str] = []
    for node in ast.walk(tree):  # parents come before their children
        if isinstance(node, ast.Expr):
            told.add(id(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            found.append(node.value)
    return found
