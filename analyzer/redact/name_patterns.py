"""Where text says that a name follows: keys of JSON and YAML, host names, images, prompts, log lines."""

from __future__ import annotations

import re

_KEYS = (
    "name|namespace|nodeName|generateName|hostname|hostName|host|serviceName|serviceAccount|serviceAccountName|externalName|"
    "clusterName|cluster|user|username|secretName|claimName|subdomain|domain|server|nodename|node|context|dnsName|DNSName|"
    "LoadBalancerName|VServerGroupName|ServerGroupName|InstanceName|TagKey|TagValue|VpcName|VSwitchName|AclName|Description|"
    "clusterId|ClusterId"
)
KEYED = re.compile(
    rf"(?<![A-Za-z0-9_./-])(?:{_KEYS})(?:\\*[\"'])?[ \t]*[:=][ \t]*\\*[\"']?(?P<value>[A-Za-z0-9][A-Za-z0-9 ._/:@*-]{{0,252}})"
)
LISTED = re.compile(
    r"\"(?:hosts|hostnames|nodes_expected|nodes_present|dnsNames)\"\s*:\s*\[(?P<value>[^\]]{1,20000})\]"
)
_NETNS = re.compile(r"link-netns (?P<value>[A-Za-z0-9._-]{2,64})")
_UNAME = re.compile(r"(?m)^Linux (?P<value>[A-Za-z0-9._-]{2,64}) [0-9]+\.[0-9]+")
_PROMPT = re.compile(r"(?m)^\[?[a-z_][a-z0-9_-]{0,31}@(?P<value>[A-Za-z0-9][A-Za-z0-9._-]{1,62})[ :][^\n]{0,80}[#$] ")
_SYSLOG = re.compile(
    r"(?m)^(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9-]{5}T[0-9:.+Z-]{8,20}) "
    r"(?P<value>[A-Za-z0-9][A-Za-z0-9._-]{1,62}) [A-Za-z._-]+(?:\[[0-9]+\])?:"
)
HOSTNAME = re.compile(r"(?P<value>[A-Za-z0-9][A-Za-z0-9._-]{0,252})")
"""All that a file called ``hostname`` holds."""
HOSTS = re.compile(r"(?m)^[ \t]*[0-9A-Fa-f.:]{2,45}[ \t]+(?P<value>[A-Za-z0-9][A-Za-z0-9._ \t-]{0,500})")
"""A line of /etc/hosts: an address and its names."""
_NAME_LINE = re.compile(
    r"(?m)^(?:Name|Namespace|Node|Hostname|Controlled By|Service Account): +(?P<value>[A-Za-z0-9][^\s]{0,252})"
)
_CONTEXT = re.compile(r"--context(?:=|\\*\"?,? +\\*\"?)(?P<value>[A-Za-z0-9][A-Za-z0-9._:/@-]{0,252})")
_FLAG = re.compile(
    r"(?<![A-Za-z0-9_-])--(?:hostname-override|cluster-name|node-name|hostname|node|namespace|user)(?:=|\\*\"?,? +)\\*\"?"
    r"(?P<value>[A-Za-z0-9][A-Za-z0-9._-]{0,252})"
)
_SSH = re.compile(r"(?:connect to host|resolve hostname) (?P<value>[A-Za-z0-9][A-Za-z0-9._-]{0,252})")
_SSH_USER = re.compile(
    r"(?<![A-Za-z0-9._-])(?P<value>[A-Za-z_][A-Za-z0-9._-]{0,63})@[A-Za-z0-9._:-]{1,253}: Permission denied"
)
_ADDRESS = re.compile(r"\"address\": ?\"(?P<value>[A-Za-z0-9-]*[g-zG-Z][A-Za-z0-9.-]*)\"")
NAMES = (_NETNS, _UNAME, _PROMPT, _SYSLOG, _NAME_LINE, _CONTEXT, _FLAG, _SSH, _SSH_USER, _ADDRESS)
"""The group `value` is a name."""

IMAGE = re.compile(r"(?<![A-Za-z0-9])image(?:\\*[\"'])?:[ \t]*\\*[\"']?(?P<value>[A-Za-z0-9][A-Za-z0-9._/:@-]{2,252})")
PUBLIC_IMAGES = re.compile(
    r"[a-z0-9._-]+(?::[A-Za-z0-9._-]+)?(?:@sha256:[0-9a-f]+)?|"
    r"(?:docker\.io/|registry\.k8s\.io/|k8s\.gcr\.io/|gcr\.io/google|ghcr\.io/|public\.ecr\.aws/|[0-9]+\.dkr\.ecr\.|"
    r"quay\.io/(?:coreos|calico|cilium|tigera|metallb|prometheus)|mcr\.microsoft\.com/|"
    r"registry[a-z0-9.-]*aliyuncs\.com/(?:acs|aliyun|google_containers)/).*"
)
"""Images everybody has; the path of any other one says whose it is."""

_MAP = "labels|matchLabels|selector|nodeSelector"
MAPS = re.compile(rf"\"(?:{_MAP})\"\s*:\s*\{{(?P<value>[^{{}}]{{1,20000}})\}}")
PAIR = re.compile(r"\"((?:[^\"\\]|\\.)*)\"\s*:\s*\"((?:[^\"\\]|\\.)*)\"")
YAML_MAPS = re.compile(rf"(?m)^( *)(?:- )?(?:{_MAP}):[ \t]*\n(?P<value>(?:\1[ ]+[^\n:]+:[^\n]*\n)+)")
YAML_PAIR = re.compile(r"(?m)^ +[\"']?([^\s:\"']+)[\"']?: *[\"']?([^\"'\n]*)")
DESCRIBED = re.compile(r"(?m)^(?:Labels|Selector|Annotations|Node-Selectors): +(?P<value>[^\n]*(?:\n {4,}[^\n]*)*)")
DESCRIBED_PAIR = re.compile(r"(?m)^ *([^\s=:]+)(?:=|: )(\S[^\n]*)$")
ANNOTATIONS = re.compile(r"\"annotations\"\s*:\s*\{((?:\s*\"(?:[^\"\\]|\\.)*\"\s*:\s*\"(?:[^\"\\]|\\.)*\"\s*,?)*)\s*\}")

_TOP = (
    "com|net|org|cn|cloud|internal|corp|lan|intra|info|biz|edu|gov|co|me|ai|hk|sg|jp|kr|tw|de|uk|fr|us|eu|ru|"
    "tech|xyz|site|online|app|dev|top|vip|io|local"
)
HOST = re.compile(
    r"(?:(?<![A-Za-z0-9._/-])|(?<=://))(?P<value>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}"
    rf"(?:{_TOP}))(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
)
PUBLIC_HOSTS = re.compile(
    r"(?i)(?<![^.])(?:kubernetes\.io|k8s\.io|x-k8s\.io|aliyuncs\.com|alibabacloud\.com|aliyun\.com|docker\.io|docker\.com|gcr\.io|"
    r"ghcr\.io|quay\.io|github\.com|githubusercontent\.com|cluster\.local|svc\.local|coreos\.com|projectcalico\.org|cilium\.io|"
    r"istio\.io|amazonaws\.com|amazon\.com|golang\.org|google\.com|googleapis\.com|microsoft\.com|redhat\.com|ubuntu\.com|"
    r"debian\.org|kernel\.org|netfilter\.org|rancher\.io|cattle\.io|longhorn\.io|openshift\.io|helm\.sh|cert-manager\.io|"
    r"metallb\.io|cncf\.io|ec2\.internal|compute\.internal|example\.com|prometheus\.io)\Z"
)
PLAIN_LABELS = re.compile(
    r"(?<![^/])(?:arch|os|instance-type|region|zone|role|roles|component|tier|managed-by|version|master|control-plane|worker|"
    r"controller-revision-hash|pod-template-generation|provider|created-by)\Z|\A(?:node-role\.|beta\.kubernetes\.io/)"
)
"""Labels whose values are no names."""
COMMON_LABELS = frozenset(
    (
        "app",
        "k8s-app",
        "name",
        "component",
        "tier",
        "role",
        "release",
        "chart",
        "heritage",
        "version",
        "env",
        "environment",
    )
)
"""Keys that everybody uses."""

KEY_PARTS = tuple(
    sorted(
        {
            "name",
            "Name",
            "host",
            "cluster",
            "user",
            "domain",
            "server",
            "service",
            "node",
            "context",
            "Tag",
            "Description",
        }
    )
)
HOST_ENDS = tuple(f".{top}" for top in _TOP.split("|"))
"""Without any of these in a text, the slow patterns need not be tried."""
