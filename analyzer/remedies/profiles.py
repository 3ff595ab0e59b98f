"""What is known about load-balancer products, as far as advice depends on it.

The deciding fact is how packets are delivered to a node. Where the load balancer rewrites the destination to a node or
pod address, the VIP may be taken off kube-ipvs0; where packets arrive with the VIP as destination (MetalLB, GCP, Azure
with floating IP) the node must own it, and un-binding would cut off the clients outside. `verdict`:

safe           delivery by rewriting is documented and the vendor has a setting
vendor-option  the vendor has a setting, delivery is not documented here: ask first
unsafe         never advised
not-needed     the address is not bound anyway
unknown        nothing is known: not advised
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from analyzer.remedies.words import DNS_NAME

Verdict = Literal["safe", "vendor-option", "unsafe", "not-needed", "unknown"]
Loopback = Literal["yes", "no", "conditional", "unknown"]
ALIBABA = "service.beta.kubernetes.io/alibaba-cloud-"
ALIBABA_LEGACY = "service.beta.kubernetes.io/alicloud-"


@dataclass(frozen=True, slots=True)
class Profile:
    """One product. `need` is (component, version): ccm, kubernetes. Signs are "any of"; the class is read first."""

    id: str
    title: str
    delivery: Literal["rewritten", "vip", "unknown"]
    verdict: Verdict
    loopback_l4: Loopback
    annotation: str = ""
    value: str = ""
    need: tuple[str, str] = ("", "")
    classes: tuple[str, ...] = ()
    annotation_prefixes: tuple[str, ...] = ()
    provider_prefixes: tuple[str, ...] = ()
    version_suffixes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def can_unbind(self) -> bool:
        return self.verdict in ("safe", "vendor-option")


CLB = Profile(
    "alibaba-clb", "Alibaba Cloud CLB", "rewritten", "safe", "yes",
    annotation=f"{ALIBABA}loadbalancer-hostname", value=DNS_NAME, need=("ccm", "2.3.0"),
    annotation_prefixes=(ALIBABA, ALIBABA_LEGACY), provider_prefixes=("alicloud://",), version_suffixes=("-aliyun",),
    sources=(
        "https://www.alibabacloud.com/help/en/ack/ack-managed-and-ack-dedicated/user-guide/add-annotations-to-the-yaml-file-of-a-service-to-configure-clb-instances",
        "https://www.alibabacloud.com/help/en/slb/why-am-i-unable-to-access-an-slb-instance",
    ),
)  # fmt: skip
NLB = Profile(
    "alibaba-nlb", "Alibaba Cloud NLB", "rewritten", "not-needed", "conditional", classes=("alibabacloud.com/nlb",),
    sources=(
        "https://www.alibabacloud.com/help/en/ack/ack-managed-and-ack-dedicated/user-guide/configure-nlb-instances-by-using-annotations",
    ),
)  # fmt: skip
GENERIC = Profile("generic", "?", "unknown", "unknown", "unknown")

# In-cluster announcers are recognised by their pods; the other vendors by the prefix of their own annotations.
PROFILES: tuple[Profile, ...] = (
    CLB,
    NLB,
    Profile("tencent-clb", "Tencent Cloud CLB", "rewritten", "not-needed", "conditional",
            annotation_prefixes=("service.cloud.tencent.com/",), provider_prefixes=("qcloud://",), version_suffixes=("-tke",),
            sources=("https://tencentcloud.com/zh/document/product/457/42976",)),
    Profile("huawei-elb", "Huawei Cloud ELB", "rewritten", "safe", "conditional",
            annotation="kubernetes.io/elb.pass-through", value="true", need=("kubernetes", "1.19"),
            annotation_prefixes=("kubernetes.io/elb.",),
            sources=("https://support.huaweicloud.com/elb_faq/elb_faq_21020218.html",)),
    Profile("aws-nlb", "AWS load balancer", "rewritten", "not-needed", "conditional", provider_prefixes=("aws:///",)),
    Profile("gcp-passthrough", "Google Cloud passthrough load balancer", "vip", "unsafe", "unknown",
            provider_prefixes=("gce://",), sources=("https://github.com/kubernetes/kubernetes/issues/117621",)),
    Profile("azure-slb", "Azure Load Balancer", "vip", "unsafe", "unknown", provider_prefixes=("azure:///",)),
    Profile("oci", "Oracle Cloud load balancer", "unknown", "vendor-option", "conditional",
            annotation="oci.oraclecloud.com/ingress-ip-mode", value="proxy", need=("kubernetes", "1.30"),
            annotation_prefixes=("oci.oraclecloud.com/",),
            sources=("https://docs.oracle.com/iaas/releasenotes/conteng/conteng-LoadBalancer-IPMode-Release-Notes.htm",)),
    Profile("openstack-octavia", "OpenStack Octavia", "unknown", "vendor-option", "no",
            annotation="loadbalancer.openstack.org/hostname", value=DNS_NAME,
            annotation_prefixes=("loadbalancer.openstack.org/",)),
    Profile("digitalocean", "DigitalOcean load balancer", "unknown", "vendor-option", "no",
            annotation="service.beta.kubernetes.io/do-loadbalancer-hostname", value=DNS_NAME,
            annotation_prefixes=("service.beta.kubernetes.io/do-loadbalancer-",),
            sources=("https://github.com/digitalocean/digitalocean-cloud-controller-manager/issues/811",)),
    Profile("hetzner", "Hetzner Cloud load balancer", "unknown", "vendor-option", "no",
            annotation="load-balancer.hetzner.cloud/hostname", value=DNS_NAME,
            annotation_prefixes=("load-balancer.hetzner.cloud/",)),
    Profile("scaleway", "Scaleway load balancer", "unknown", "vendor-option", "unknown",
            annotation="service.beta.kubernetes.io/scw-loadbalancer-use-hostname", value="true",
            annotation_prefixes=("service.beta.kubernetes.io/scw-loadbalancer-",)),
    Profile("linode", "Linode NodeBalancer", "unknown", "vendor-option", "unknown",
            annotation="service.beta.kubernetes.io/linode-loadbalancer-hostname-only-ingress", value="true",
            annotation_prefixes=("service.beta.kubernetes.io/linode-loadbalancer-",)),
    Profile("cloudstack", "Apache CloudStack load balancer", "unknown", "vendor-option", "unknown",
            annotation="service.beta.kubernetes.io/cloudstack-load-balancer-hostname", value=DNS_NAME,
            annotation_prefixes=("service.beta.kubernetes.io/cloudstack-load-balancer-",)),
    Profile("metallb", "MetalLB", "vip", "unsafe", "no", images=("metallb",)),
    Profile("kube-vip", "kube-vip", "vip", "unsafe", "no", images=("kube-vip",)),
    Profile("openelb", "OpenELB", "vip", "unsafe", "no", images=("openelb",)),
    Profile("purelb", "PureLB", "vip", "unsafe", "no", images=("purelb",)),
)  # fmt: skip
AZURE_NO_FLOATING_IP = "service.beta.kubernetes.io/azure-disable-load-balancer-floating-ip"

# `cn-hangzhou.i-bp1...`, the provider id of ACK nodes without a scheme.
_ALIBABA_INSTANCE = re.compile(r"[a-z]{2,12}-[a-z0-9-]{1,40}\.i-")


def of_cluster(provider_ids: Iterable[str], versions: Iterable[str]) -> Profile:
    """The cloud that the nodes name; generic when they name none, or several."""
    found: dict[str, Profile] = {}
    ids, texts = list(provider_ids), list(versions)
    for profile in PROFILES:
        if any(one.startswith(profile.provider_prefixes) for one in ids if profile.provider_prefixes) or any(
            suffix in text for text in texts for suffix in profile.version_suffixes
        ):
            found[profile.id] = profile
    if any(_ALIBABA_INSTANCE.match(one) for one in ids):
        found[CLB.id] = CLB
    return next(iter(found.values())) if len(found) == 1 else GENERIC


def announcers(images: Iterable[str]) -> tuple[Profile, ...]:
    """In-cluster load balancers whose pods run; they deliver to the VIP."""
    listed = " ".join(images).lower()
    return tuple(profile for profile in PROFILES if any(image in listed for image in profile.images))


def of_service(load_balancer_class: str, annotations: Mapping[str, str]) -> Profile | None:
    """What the Service itself says: its class, else annotations only one vendor reads. None when it says nothing."""
    if load_balancer_class:
        lowered = load_balancer_class.lower()
        for profile in PROFILES:
            if load_balancer_class in profile.classes or any(image in lowered for image in profile.images):
                return profile
        return GENERIC
    for profile in PROFILES:
        if profile.annotation_prefixes and any(key.startswith(profile.annotation_prefixes) for key in annotations):
            return profile
    return None


def without_floating_ip(profile: Profile) -> Profile:
    """Azure rewrites the destination to the node's address when a Service switches floating IP off."""
    return replace(profile, delivery="rewritten", verdict="safe") if profile.id == "azure-slb" else profile
