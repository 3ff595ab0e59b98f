#!/bin/sh
# collect.sh: take what ipvscope reads, with read-only commands, and pack it as one bundle.
#
#   collect.sh node    [-o DIR|-] [-n NAME] [-t SECONDS]          on every node, as root
#   collect.sh cluster [-o DIR|-] [-t SECONDS] [--keep-env]       once, where kubectl works
#   collect.sh cloud-aliyun [-o DIR|-] [-t SECONDS] [-r REGION] LB_ID...   where the aliyun CLI works
#   collect.sh merge   [-o DIR|-] ARCHIVE...                      many parts into one bundle
#
# Each prints the path of a .tar.gz on standard output; `-o -` writes the archive itself there:
#   ssh root@NODE sh -s -- node -o - < collect.sh > NODE.tar.gz
#
# A command that is missing, fails or hangs is recorded in manifest.json and never stops the rest.
# Exit code: 0 an archive was written, 2 usage, 1 nothing could be written.
# The format is described in docs/bundle-format.md.
set -u
LC_ALL=C
export LC_ALL

VERSION=0.1.0
# sudo and ssh often leave out the folders that hold ipvsadm and conntrack.
PATH=$PATH${IPVSCOPE_SBIN-:/usr/local/sbin:/usr/sbin:/sbin}
export PATH

usage() {
    echo "usage: collect.sh node [-o DIR|-] [-n NAME] [-t SECONDS]
       collect.sh cluster [-o DIR|-] [-t SECONDS] [--keep-env]
       collect.sh cloud-aliyun [-o DIR|-] [-t SECONDS] [-r REGION] LB_ID...
       collect.sh merge [-o DIR|-] ARCHIVE..." >&2
    exit 2
}

die() {
    echo "collect.sh: $1" >&2
    exit "${2:-1}"
}

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# Standard input as the inside of a JSON string: one line, ASCII; control and non-ASCII bytes are replaced.
json_text() {
    tr -d '\000' | tr '\011\015\200-\377' '  ?' | tr '\001-\010\013-\037\177' '?' |
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
}

# The arguments as a JSON list of strings.
json_list() {
    separator=
    printf '['
    for item in "$@"; do
        case $item in
            *[!A-Za-z0-9./_:=@,+-]*) item=$(printf '%s' "$item" | json_text) ;;
        esac
        printf '%s"%s"' "$separator" "$item"
        separator=', '
    done
    printf ']'
}

# limited SECONDS COMMAND...: run it, and end it after that time (exit code 124 or 137).
limited() {
    seconds=$1
    shift
    if command -v timeout >/dev/null 2>&1; then
        timeout -k 5 "$seconds" "$@"
        return
    fi
    "$@" &
    child=$!
    rm -f "$WORK/late"
    (
        # Short naps: the one that is left over when the command ends in time is gone within a second.
        waited=0
        while [ "$waited" -lt "$((seconds + 5))" ]; do
            if [ "$waited" -eq "$seconds" ]; then
                : >"$WORK/late"
                kill -TERM "$child"
            fi
            sleep 1
            waited=$((waited + 1))
        done
        kill -KILL "$child"
    ) >/dev/null 2>&1 &
    watchdog=$!
    wait "$child"
    code=$?
    kill -KILL "$watchdog" 2>/dev/null
    wait "$watchdog" 2>/dev/null
    if [ -f "$WORK/late" ]; then code=124; fi
    return "$code"
}

# capture SECONDS FILE COMMAND...: standard output becomes FILE of the bundle, the end of standard error goes to the
# manifest. The two are never mixed: conntrack prints its closing line to standard error in the middle of a line.
# When FILTER is set, standard output passes through that function first.
FILTER=
FILTERED=
capture() {
    limit=${LIMIT:-$1}
    file=$2
    shift 2
    mkdir -p "$ROOT/${file%/*}"
    began=$(now)
    clock=$(date +%s)
    if command -v "$1" >/dev/null 2>&1; then
        limited "$limit" "$@" </dev/null >"$WORK/stdout" 2>"$WORK/stderr"
        code=$?
        if [ -n "$FILTER" ]; then
            "$FILTER" <"$WORK/stdout" >"$ROOT/$file"
        else
            cat "$WORK/stdout" >"$ROOT/$file"
        fi
    else
        # No file: an empty one would say that the table is empty.
        code=127
        echo "$1: not found" >"$WORK/stderr"
    fi
    cut=false
    case $code in 124 | 137) cut=true ;; esac
    # The same holds for a command that failed without a word on standard output.
    if [ "$code" -ne 0 ] && [ -f "$ROOT/$file" ] && ! [ -s "$ROOT/$file" ]; then rm -f "$ROOT/$file"; fi
    present=false
    if [ -f "$ROOT/$file" ]; then present=true; fi
    printf '{"node": "%s", "argv": %s, "file": "%s", "present": %s, "started": "%s", "exit_code": %s, "seconds": %s, "timed_out": %s, "filtered": "%s", "stderr_tail": "%s"}\n' \
        "$NODE" "$(json_list "$@")" "$file" "$present" "$began" "$code" $(($(date +%s) - clock)) "$cut" "$FILTERED" \
        "$(if [ -s "$WORK/stderr" ]; then tail -c 2000 "$WORK/stderr" | json_text; fi)" >>"$WORK/commands"
    rm -f "$WORK/stdout" "$WORK/stderr"
}

# Values of environment variables, and the copies of whole objects that `kubectl apply` leaves in an annotation, may be
# secret. kubectl prints one value per line, so the indentation tells where a list `env` ends.
without_env_values() {
    awk '
        inside && ($0 == indent "]" || $0 == indent "],") { inside = 0 }
        inside && /^ *"value": / { sub(/"value": .*[^,]/, "\"value\": \"redacted\"") }
        /^ *"env": \[$/ { inside = 1; indent = $0; sub(/"env": \[$/, "", indent) }
        /^ *"kubectl\.kubernetes\.io\/last-applied-configuration": / { sub(/: ".*"/, ": \"redacted\"") }
        { print }'
}

# A Terway configuration of a self-managed cluster can hold the access key of the cloud account.
without_access_keys() {
    sed 's/\(access_[a-z_]*\\*"[[:space:]]*:[[:space:]]*\\*"\)[^"\\]*/\1redacted/g' | without_env_values
}

# The name under which the kubelet registered this node: its --hostname-override, else the host name.
node_name() {
    for process in "${IPVSCOPE_PROC:-/proc}"/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null)" = kubelet ] || continue
        override=$(tr '\000' '\n' <"$process/cmdline" 2>/dev/null | awk '
            take { print; exit }
            /^--?hostname-override=/ { sub(/^[^=]*=/, ""); print; exit }
            /^--?hostname-override$/ { take = 1 }')
        if [ -n "$override" ]; then
            echo "$override"
            return
        fi
    done
    hostname 2>/dev/null || uname -n
}

# Shell text run as a capture of its own; kept here so that the manifest shows exactly what ran.
# The container runtime puts "<time> stderr F " before each line of a log.
# shellcheck disable=SC2016
KUBE_PROXY_LOG='set -- /var/log/pods/kube-system_kube-proxy*/*/*.log
if [ -f "$1" ]; then
    newest=$(ls -t "$@" | head -n 1)
    tail -n 5000 "$newest" | sed "s/^[^ ]* std[a-z]* [FP] //"
else
    journalctl -u kube-proxy -n 5000 --no-pager -o cat | grep .
fi'
# shellcheck disable=SC2016
TOOL_VERSIONS='for tool in "ip -V" "ss -V" "iptables -V" "nft -v" "ipvsadm -v" "ipset -v" "conntrack -V" "kubelet --version"; do
    set -- $tool
    if command -v "$1" >/dev/null 2>&1; then "$@" 2>&1; fi
done
cat /etc/os-release 2>/dev/null'

node_part() {
    d=nodes/$NODE
    capture 30 "$d/hostname.txt" hostname
    capture 30 "$d/uname.txt" uname -a
    capture 60 "$d/conntrack-L-extended.txt" conntrack -L -o extended
    capture 60 "$d/ipvsadm-Lnc.txt" ipvsadm -Lnc
    capture 30 "$d/ipvsadm-Ln.txt" ipvsadm -Ln
    capture 30 "$d/ipvsadm-Ln-stats.txt" ipvsadm -Ln --stats --exact
    capture 30 "$d/ipvsadm-save-n.txt" ipvsadm -S -n
    capture 30 "$d/ipvsadm-timeout.txt" ipvsadm -Ln --timeout
    capture 30 "$d/ip-addr.txt" ip addr
    capture 30 "$d/ip-d-link.txt" ip -d link
    capture 60 "$d/ip-route-all.txt" ip route show table all
    capture 30 "$d/ip-rule.txt" ip rule
    capture 30 "$d/ip-6-rule.txt" ip -6 rule
    capture 30 "$d/ip-neigh.txt" ip neigh
    capture 60 "$d/ipset-save.txt" ipset save
    capture 60 "$d/iptables-save.txt" iptables-save -c
    capture 60 "$d/ip6tables-save.txt" ip6tables-save -c
    # The host's iptables can be the nft variant while kube-proxy's image used the legacy one.
    case $(iptables -V 2>/dev/null </dev/null) in
        *nf_tables*) capture 60 "$d/iptables-legacy-save.txt" iptables-legacy-save -c ;;
    esac
    capture 60 "$d/nft-list-ruleset.txt" nft list ruleset
    capture 30 "$d/ss-lntup.txt" ss -lntup
    capture 30 "$d/sysctl.txt" sysctl net.ipv4.vs net.ipv4.conf net.ipv4.ip_forward net.ipv4.ip_nonlocal_bind \
        net.ipv4.ip_local_port_range net.ipv4.icmp_ratelimit net.ipv4.icmp_ratemask net.ipv6.conf.all.forwarding \
        net.netfilter net.bridge
    capture 30 "$d/lsmod.txt" lsmod
    capture 30 "$d/kube-proxy.log" sh -c "$KUBE_PROXY_LOG"
    capture 30 "$d/tool-versions.txt" sh -c "$TOOL_VERSIONS"
}

cluster_part() {
    capture 60 cluster/version.json kubectl version -o json
    if [ "$KEEP_ENV" = no ]; then
        FILTER=without_env_values
        FILTERED='env values and last-applied-configuration replaced'
    fi
    for kind in nodes services endpoints endpointslices pods events; do
        capture 180 "cluster/$kind.json" kubectl get "$kind" -A -o json
    done
    capture 60 cluster/daemonsets.json kubectl get daemonsets -n kube-system -o json
    capture 60 cluster/configmap-kube-proxy.json \
        kubectl get configmap -n kube-system kube-proxy kube-proxy-worker kube-proxy-master --ignore-not-found -o json
    FILTER=without_access_keys
    FILTERED='access keys, env values and last-applied-configuration replaced'
    capture 60 cluster/configmap-cni.json kubectl get configmap -n kube-system \
        eni-config kube-flannel-cfg calico-config cilium-config --ignore-not-found -o json
    FILTER=
    FILTERED=
}

aliyun_part() {
    d=cloud/aliyun
    for lb in "$@"; do
        capture 60 "$d/DescribeLoadBalancerAttribute-$lb.json" \
            aliyun slb DescribeLoadBalancerAttribute ${REGION:+--RegionId "$REGION"} --LoadBalancerId "$lb"
        capture 60 "$d/DescribeLoadBalancerListeners-$lb.json" \
            aliyun slb DescribeLoadBalancerListeners ${REGION:+--RegionId "$REGION"} --LoadBalancerId.1 "$lb"
        capture 60 "$d/DescribeHealthStatus-$lb.json" \
            aliyun slb DescribeHealthStatus ${REGION:+--RegionId "$REGION"} --LoadBalancerId "$lb"
        capture 60 "$d/DescribeVServerGroups-$lb.json" \
            aliyun slb DescribeVServerGroups ${REGION:+--RegionId "$REGION"} --LoadBalancerId "$lb"
        [ -f "$ROOT/$d/DescribeVServerGroups-$lb.json" ] || continue
        for group in $(tr ',' '\n' <"$ROOT/$d/DescribeVServerGroups-$lb.json" |
            sed -n 's/.*"VServerGroupId"[[:space:]]*:[[:space:]]*"\([A-Za-z0-9-]*\)".*/\1/p' | sort -u); do
            capture 60 "$d/DescribeVServerGroupAttribute-$group.json" \
                aliyun slb DescribeVServerGroupAttribute ${REGION:+--RegionId "$REGION"} --VServerGroupId "$group"
        done
    done
}

# Unpack parts that this script made into one tree. Their manifests have one command per line, so they join as text.
merge_parts() {
    for archive in "$@"; do
        [ -f "$archive" ] || die "$archive: no such file" 2
        # Only what this script writes: regular files and folders, no path upwards.
        if ! tar -tzvf "$archive" >"$WORK/listing" 2>/dev/null || grep -q -v '^[-d]' "$WORK/listing" ||
            ! tar -tzf "$archive" | awk '/^\/|(^|\/)\.\.(\/|$)/ { bad = 1 } END { exit bad }'; then
            die "$archive: not a part made by collect.sh"
        fi
        mkdir "$WORK/part"
        tar -xzf "$archive" -C "$WORK/part" || die "$archive: cannot be unpacked"
        for folder in "$WORK/part" "$WORK/part"/*; do
            [ -f "$folder/manifest.json" ] && break
        done
        grep -q '"format": 1,$' "$folder/manifest.json" 2>/dev/null || die "$archive: no manifest of format 1"
        sed -n 's/^  \({"node": .*}\),*$/\1/p' "$folder/manifest.json" >>"$WORK/commands"
        sed -n 's/^ "nodes_expected": \[\(..*\)\],$/\1/p' "$folder/manifest.json" | tr ',' '\n' |
            sed 's/^ *"\(.*\)"$/\1/' >>"$WORK/expected"
        rm -f "$folder/manifest.json"
        for area in nodes cluster cloud; do
            if [ -d "$folder/$area" ]; then cp -R "$folder/$area" "$ROOT/"; fi
        done
        rm -rf "$WORK/part"
    done
}

manifest() {
    if [ -f "$ROOT/cluster/nodes.json" ]; then
        # Names of the Node objects: kubectl prints an item's metadata.name 16 blanks deep, and nothing else there.
        sed -n 's/^ \{16\}"name": "\([^"]*\)",*$/\1/p' "$ROOT/cluster/nodes.json" >>"$WORK/expected"
    fi
    set --
    if [ -f "$WORK/expected" ]; then
        set -f # node names have no blanks
        # shellcheck disable=SC2013
        for name in $(sort -u "$WORK/expected"); do set -- "$@" "$name"; done
        set +f
    fi
    expected=$(json_list "$@")
    set --
    for folder in "$ROOT"/nodes/*/; do
        if [ -d "$folder" ]; then
            folder=${folder%/}
            set -- "$@" "${folder##*/}"
        fi
    done
    present=$(json_list "$@")
    printf '{\n "format": 1,\n "collector": "collect.sh",\n "collector_version": "%s",\n "part": "%s",\n' "$VERSION" "$PART"
    printf ' "started": "%s",\n "finished": "%s",\n "cluster": "%s",\n' "$STARTED" "$(now)" \
        "$(printf '%s' "$CLUSTER" | json_text)"
    printf ' "nodes_expected": %s,\n "nodes_present": %s,\n "commands": [\n' "$expected" "$present"
    if [ -f "$WORK/commands" ]; then sed -e 's/^/  /' -e '$!s/$/,/' "$WORK/commands"; fi
    printf ' ]\n}\n'
}

main() {
    [ $# -ge 1 ] || usage
    PART=$1
    shift
    OUT=. NODE='' LIMIT='' REGION='' KEEP_ENV=no CLUSTER=''
    while [ $# -gt 0 ]; do
        case $1 in
            -o | -n | -t | -r)
                [ $# -ge 2 ] || usage
                case $1 in -o) OUT=$2 ;; -n) NODE=$2 ;; -t) LIMIT=$2 ;; -r) REGION=$2 ;; esac
                shift 2
                ;;
            --keep-env) KEEP_ENV=yes && shift ;;
            --) shift && break ;;
            -*) usage ;;
            *) break ;;
        esac
    done
    case $LIMIT in *[!0-9]* | 0) usage ;; esac
    case $REGION in *[!A-Za-z0-9-]*) usage ;; esac
    case $PART in
        node | cluster) [ $# -eq 0 ] || usage ;;
        cloud-aliyun | merge) [ $# -ge 1 ] || usage ;;
        *) usage ;;
    esac
    if [ "$PART" = cloud-aliyun ]; then
        for lb in "$@"; do
            case $lb in -* | *[!A-Za-z0-9-]*) die "'$lb' is not a load balancer's id" 2 ;; esac
        done
    fi

    umask 077
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/ipvscope.XXXXXX") || die "no temporary folder"
    trap 'rm -rf "$WORK"' EXIT
    trap 'exit 130' HUP INT TERM
    stamp=$(date -u +%Y%m%dT%H%M%SZ)
    STARTED=$(now)
    label=$PART
    if [ "$PART" = node ]; then
        [ "$(id -u)" = 0 ] || echo "collect.sh: not root: most captures will fail" >&2
        [ -n "$NODE" ] || NODE=$(node_name)
        # Node names are DNS names; anything else would break paths.
        NODE=$(printf '%s' "$NODE" | tr -c 'A-Za-z0-9._-' '_' | sed 's/^[^A-Za-z0-9]*//')
        [ -n "$NODE" ] || die "no usable node name; give one with -n" 2
        label=node-$NODE
    elif [ "$PART" = merge ]; then
        label=bundle
    fi
    ROOT=$WORK/ipvscope-$label-$stamp
    mkdir "$ROOT"
    case $PART in
        node) node_part ;;
        cluster)
            CLUSTER=$(kubectl config view --minify -o 'jsonpath={.clusters[0].name}' 2>/dev/null </dev/null)
            cluster_part
            ;;
        cloud-aliyun) aliyun_part "$@" ;;
        merge) merge_parts "$@" ;;
    esac
    manifest >"$ROOT/manifest.json"

    if [ "$OUT" = - ]; then
        tar -C "$WORK" -cf - "${ROOT##*/}" | gzip -c
        return
    fi
    mkdir -p "$OUT" || die "$OUT: cannot be made"
    archive=$OUT/${ROOT##*/}.tar.gz
    tar -C "$WORK" -cf - "${ROOT##*/}" | gzip -c >"$archive" || die "$archive: cannot be written"
    echo "$archive"
}

# Called on the last line, so that `sh -s < collect.sh` has read everything before anything runs.
main "$@"
