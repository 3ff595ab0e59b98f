#!/bin/sh
# collect.sh: take what ipvscope reads, with read-only commands, and pack it as one bundle.
#
#   collect.sh all --ssh USER@ | --kubectl   every node and the cluster's objects, from where kubectl works
#   collect.sh node                          this node, as root
#   collect.sh cluster                       the cluster's objects, where kubectl works
#   collect.sh cloud-aliyun LB_ID...         load balancers, where the aliyun CLI works
#   collect.sh merge ARCHIVE...              many parts into one bundle
#
# Each prints the path of a .tar.gz on standard output; `-o -` writes the archive itself there. `collect.sh -h` lists
# the options. Nothing is changed on a node or in the cluster but for the pods of --kubectl, which are deleted again.
# Secrets and logs are not read; values of environment variables never reach the bundle. A command that is missing, fails,
# hangs or prints too much, and a node that cannot be reached, is recorded in manifest.json and never stops the rest.
# Exit code: 0 an archive was written, 1 nothing could be written, 2 wrong use, 130 interrupted.
# The format is described in docs/bundle-format.md.
# shellcheck disable=SC2030,SC2031  # a visit to a node has a work folder of its own
set -u
LC_ALL=C
export LC_ALL
# Where bash is the shell, `ulimit -f` counts blocks of 512 bytes in POSIX mode only.
# shellcheck disable=SC3040
if [ -n "${BASH_VERSION:-}" ]; then set -o posix; fi

VERSION=0.1.0
# sudo and ssh often leave out the folders that hold ipvsadm and conntrack.
PATH=$PATH${IPVSCOPE_SBIN-:/usr/local/sbin:/usr/sbin:/sbin}
export PATH
PROC=${IPVSCOPE_PROC:-/proc}
SYS=${IPVSCOPE_SYS:-/sys}
MODULES=${IPVSCOPE_MODULES:-/lib/modules}
PROXY=${IPVSCOPE_KUBE_PROXY:-127.0.0.1:10249}

usage() {
    [ "${1:-}" = help ] || exec >&2
    cat <<'USAGE'
usage: collect.sh node | cluster | all | cloud-aliyun LB_ID... | merge ARCHIVE...   [options]
  -o DIR|FILE.tar.gz|-     where the archive goes (default: this folder)
  -t SECONDS               time limit of each command (default: 30 to 180, by command)
  -s MIB                   size limit of what a command prints (default 512)
  -b SECONDS               time limit of a node as a whole (default 240)
  -n NAME                  node: its name, where it cannot be found out
  --with-conntrack-filter  node, all: keep only connections that touch the address or port of a Service
  --clb                    cluster, all: ask the aliyun CLI about the load balancers (CLB) that Services name
  -r REGION                cloud-aliyun, --clb: the region (default: as configured in the CLI)
  --context NAME           cluster, all: context of the kubeconfig
  --redact                 pass the archive through `ipvscope redact`, which must be on the PATH
all:
  --ssh USER@              by ssh, which must not ask for a password; by sudo -n where USER is not root
  --ssh-option OPTION      handed on as ssh -o OPTION; may be repeated
  --kubectl                by a privileged pod per node, deleted afterwards
  --image IMAGE            its image; needs chroot and sleep (default busybox)
  --pod-namespace NAME     where the pods go (default kube-system)
  --nodes LIST|FILE        names, NAME=ADDRESS or addresses (default: all nodes, from kubectl)
  -j NUMBER                nodes at a time (default 10)
USAGE
    [ "${1:-}" = help ] && exit 0
    exit 2
}

say() { printf 'collect.sh: %s\n' "$*" >&2; }

die() {
    say "$1"
    exit "${2:-1}"
}

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# ---- JSON --------------------------------------------------------------------

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

# ---- running a command -------------------------------------------------------

# coreutils, old and new busybox want different options.
find_timeout() {
    TIMEOUT=
    command -v timeout >/dev/null 2>&1 || return 0
    for form in 'timeout -k 5' timeout 'timeout -t'; do
        # shellcheck disable=SC2086  # a command with its options
        if $form 9 sh -c : >/dev/null 2>&1; then
            TIMEOUT=$form
            return
        fi
    done
}

# limited SECONDS COMMAND...: run it with standard input from $INPUT; end it after that time (exit code 124, 137 or 143),
# or when a file it writes reaches the size limit. It runs in the background, so that a signal can end it at once.
INPUT=/dev/null
CHILD=
WATCHDOG=
limited() {
    seconds=$1
    shift
    [ -n "$TIMEOUT" ] || rm -f "$WORK/late"
    (
        trap - EXIT HUP INT TERM
        # shellcheck disable=SC3045  # no core file where the size limit ends a command
        ulimit -c 0 2>/dev/null
        ulimit -f "$BLOCKS"
        # shellcheck disable=SC2086  # a command with its options
        if [ -n "$TIMEOUT" ]; then exec $TIMEOUT "$seconds" "$@"; fi
        exec "$@"
    ) <"$INPUT" &
    CHILD=$!
    if [ -z "$TIMEOUT" ]; then
        (
            trap - EXIT HUP INT TERM
            # Short naps: the one that is left over when the command ends in time is gone within a second.
            waited=0
            while [ "$waited" -lt "$((seconds + 5))" ]; do
                if [ "$waited" -eq "$seconds" ]; then
                    : >"$WORK/late"
                    kill -TERM "$CHILD"
                fi
                sleep 1
                waited=$((waited + 1))
            done
            kill -KILL "$CHILD"
        ) </dev/null >/dev/null 2>&1 &
        WATCHDOG=$!
    fi
    wait "$CHILD" 2>/dev/null
    code=$?
    CHILD=
    if [ -n "$WATCHDOG" ]; then
        kill -KILL "$WATCHDOG" 2>/dev/null
        wait "$WATCHDOG" 2>/dev/null
        WATCHDOG=
    fi
    if [ -f "$WORK/late" ]; then code=124; fi
    return "$code"
}

# stop PID...: end what runs now, and these.
stop() {
    if [ -n "$WATCHDOG" ]; then kill -KILL "$WATCHDOG" 2>/dev/null; fi
    for pid in $CHILD "$@"; do kill "$pid" 2>/dev/null; done
}

# capture SECONDS FILE COMMAND...: standard output becomes FILE of the bundle, the end of standard error goes to the
# manifest. The two are never mixed: conntrack prints its closing line to standard error in the middle of a line.
# When FILTER is set, standard output passes through that function, which may say in $WORK/filtered what it did. When SKIP
# is set, the command does not run, for that reason. Both hold for one capture.
FILTER=
FILTERED=
SKIP=
DEADLINE=
capture() {
    limit=${LIMIT:-$1}
    file=$2
    shift 2
    target=$ROOT/$file
    [ -d "${target%/*}" ] || mkdir -p "${target%/*}"
    clock=$(date -u '+%Y-%m-%dT%H:%M:%SZ %s')
    began=${clock% *} clock=${clock#* }
    code=null cut=false truncated=false skipped=$SKIP filtered='' complete=false
    : >"$WORK/stderr"
    left=$limit
    if [ -n "$DEADLINE" ]; then left=$((DEADLINE - clock)); fi
    if [ "$left" -lt "$limit" ]; then limit=$left; fi
    if [ -z "$skipped" ] && [ "$left" -le 0 ]; then skipped='the time for the node was used up'; fi
    # Without a command there is no file: an empty one would say that the table is empty.
    if [ -n "$skipped" ]; then
        :
    elif ! command -v "$1" >/dev/null 2>&1; then
        code=127
        echo "$1: not found" >"$WORK/stderr"
    else
        limited "$limit" "$@" >"$target" 2>"$WORK/stderr"
        code=$?
        case $code in 124 | 137 | 143) cut=true ;; esac
        # Whatever it says of itself: part of a pipe may have been ended, and the rest be content.
        if [ "$(($(wc -c <"$target")))" -ge "$((BLOCKS * 512))" ]; then
            truncated=true
            sed '$d' "$target" >"$WORK/whole" && mv "$WORK/whole" "$target"
        fi
        if [ -n "$FILTER" ]; then filter_output; fi
        # A command that failed without a word on standard output says nothing about the table either.
        # Nor does the empty list that kubectl prints when it was refused.
        if [ "$code" -ne 0 ] && [ -f "$target" ]; then
            if ! [ -s "$target" ] || grep -q '^    "items": \[\]' "$target"; then rm -f "$target"; fi
        fi
    fi
    record "$@"
    FILTER='' FILTERED='' SKIP=''
}

# filter_output: pass what was captured through $FILTER; without it nothing is kept.
filter_output() {
    rm -f "$WORK/filtered" "$WORK/partial"
    if "$FILTER" <"$target" >"$WORK/kept" && mv "$WORK/kept" "$target"; then
        filtered=$FILTERED
        if [ -f "$WORK/filtered" ]; then filtered=$(cat "$WORK/filtered"); fi
    else
        rm -f "$target"
        skipped='not kept: values that must not be in the bundle could not be found out'
    fi
}

# record COMMAND...: the line of the manifest for what `capture` found.
record() {
    present=false
    if [ -f "$target" ]; then
        present=true
        # sysctl fails for the keys that a kernel does not have, and prints the others.
        case $code$cut$truncated$1 in 0falsefalse* | *falsefalsesysctl) complete=true ;; esac
        if [ -n "$FILTER" ] && [ -f "$WORK/partial" ]; then complete=false; fi
    fi
    tail=
    if [ -s "$WORK/stderr" ]; then tail=$(tail -c 2000 "$WORK/stderr" | json_text); fi
    printf '{"node": "%s", "argv": %s, "file": "%s", "present": %s, "started": "%s", "exit_code": %s, "seconds": %s, "timed_out": %s, "truncated": %s, "complete": %s, "filtered": "%s", "skipped": "%s", "stderr_tail": "%s"}\n' \
        "$NODE" "$(json_list "$@")" "$file" "$present" "$began" "$code" $(($(date +%s) - clock)) "$cut" "$truncated" \
        "$complete" "$filtered" "$skipped" "$tail" >>"$WORK/commands"
}

# ---- one node ----------------------------------------------------------------

# The processes with that name, as folders of /proc.
processes() {
    grep -l -x -e "$1" "$PROC"/[0-9]*/comm 2>/dev/null | sed 's/\/comm$//'
}

# The name under which the kubelet registered this node: its --hostname-override, else the host name in small letters.
node_name() {
    for process in $(processes kubelet); do
        override=$(tr '\000' '\n' <"$process/cmdline" 2>/dev/null | awk '
            take { print; exit }
            /^--?hostname-override=/ { sub(/^[^=]*=/, ""); print; exit }
            /^--?hostname-override$/ { take = 1 }')
        if [ -n "$override" ]; then
            echo "$override"
            return
        fi
    done
    { hostname 2>/dev/null || uname -n; } | tr '[:upper:]' '[:lower:]'
}

# Whether the kernel has that part already. ipvsadm, ipset, nft, conntrack and ss make the kernel load what they ask for,
# which would change the node.
loaded() {
    if [ -d "$SYS/module/$1" ] || grep -q "^$1 " "$PROC/modules" 2>/dev/null; then return 0; fi
    grep -q "/$1\.ko" "$MODULES/$(uname -r)/modules.builtin" 2>/dev/null && return 0
    # A kernel that loads nothing on its own.
    ! [ -e "$PROC/sys/kernel/modprobe" ]
}

# needs MODULE...: do not run the next capture where one is not there.
needs() {
    for module in "$@"; do
        if ! loaded "$module"; then
            SKIP="module $module is not loaded, and the command would load it"
            return
        fi
    done
}

# Shell text run as a capture of its own; kept here so that the manifest shows exactly what ran.
# shellcheck disable=SC2016
FETCH='unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
if command -v curl >/dev/null 2>&1; then curl -sS -f --max-time 10 "$0"; else wget -q -T 10 -O - "$0"; fi'
KUBE_PROXY_VERSION="($FETCH) | grep '^kubernetes_build_info'"
# shellcheck disable=SC2016
KUBE_PROXY_ARGS='tr "\000" "\n" <"$0/cmdline"'
# Each family is named, because only new versions of conntrack list both on their own. Both must succeed.
# shellcheck disable=SC2016
CONNTRACK='conntrack -L -f ipv4 -o extended
four=$?
conntrack -L -f ipv6 -o extended && exit "$four"'
# shellcheck disable=SC2016
TOOL_VERSIONS='for tool in "ip -V" "ss -V" "iptables -V" "nft -v" "ipvsadm -v" "ipset -v" "conntrack -V" "kubelet --version"; do
    set -- $tool
    if command -v "$1" >/dev/null 2>&1; then "$@" 2>&1; fi
done
grep "^PRETTY_NAME=" /etc/os-release 2>/dev/null'

# What this node's own tables call a Service: `address A`, `pair A PORT` or `port PORT` a line.
service_addresses() {
    for table in ip-addr ipvsadm-Ln iptables-save ip6tables-save nft-list-ruleset; do
        [ -f "$ROOT/$d/$table.txt" ] || continue
        awk -v "table=$table" '
            table == "ip-addr" && /^[0-9]+: / { held = $2 ~ /^kube-ipvs0[:@]/ }
            table == "ip-addr" && held && $1 ~ /^inet6?$/ && $2 !~ /^fe80:/ { sub(/\/.*/, "", $2); print "address", $2 }
            table == "ipvsadm-Ln" && $1 ~ /^(TCP|UDP|SCTP)$/ {
                port = $2; sub(/.*:/, "", port); sub(/:[0-9]+$/, "", $2); gsub(/[][]/, "", $2); print "pair", $2, port
            }
            table ~ /save/ && /^(\[[0-9:]*\] )?-A KUBE-(SERVICES|NODEPORTS) / {
                for (i = 1; i < NF; i++) {
                    if ($i == "-d" && $(i - 1) != "!") { a = $(i + 1); if (sub(/\/(32|128)$/, "", a)) print "address", a }
                    if ($i == "--dport") print "port", $(i + 1)
                }
            }
            table ~ /nft/ {
                gsub(/,/, " ")
                for (i = 1; i + 4 <= NF; i++) if ($(i + 1) == "." && $(i + 2) ~ /^(tcp|udp|sctp)$/ && $(i + 3) == ".")
                    if ($i ~ /^[0-9a-f.:]+$/) print "address", $i
                for (i = 2; i + 3 <= NF; i++) if ($i ~ /^(tcp|udp|sctp)$/ && $(i + 1) == "." && $(i - 1) != "." &&
                    $(i + 2) ~ /^[0-9]+$/ && $(i + 3) == ":") print "port", $(i + 2)
            }' "$ROOT/$d/$table.txt"
    done | sort -u
}

# Only connections with the address, the address and port, or the node port of a Service, in either direction.
only_services() {
    service_addresses >"$WORK/services"
    if ! [ -s "$WORK/services" ]; then
        echo 'nothing: no Service is known on this node' >"$WORK/filtered"
        cat
        return
    fi
    : >"$WORK/partial"
    awk -v "report=$WORK/filtered" -v "services=$WORK/services" '
        BEGIN {
            while ((getline line < services) > 0) {
                split(line, word, " ")
                if (word[1] == "pair") pair[word[2] " " word[3]] = 1
                else if (word[1] == "port") port[word[2]] = 1
                else address[word[2]] = 1
            }
        }
        {
            keep = 0
            for (i = 4; i <= NF && !keep; i++) {
                key = substr($i, 1, 4)
                if (key == "src=") { source = substr($i, 5); keep = source in address }
                else if (key == "dst=") { target = substr($i, 5); keep = target in address }
                else if (key == "spor") { value = substr($i, 7); keep = (value in port) || ((source " " value) in pair) }
                else if (key == "dpor") { value = substr($i, 7); keep = (value in port) || ((target " " value) in pair) }
            }
            if (keep) { kept++; print }
        }
        END { printf "connections that touch no Service left out: %d of %d kept\n", kept, NR >report }'
}

# The tables first and close together, the long list of connections last.
node_part() {
    d=nodes/$NODE
    capture 30 "$d/hostname.txt" hostname
    capture 30 "$d/uname.txt" uname -a
    needs ip_vs
    capture 30 "$d/ipvsadm-Ln.txt" ipvsadm -Ln
    needs ip_vs
    capture 30 "$d/ipvsadm-Ln-stats.txt" ipvsadm -Ln --stats --exact
    needs ip_vs
    capture 30 "$d/ipvsadm-save-n.txt" ipvsadm -S -n
    needs ip_vs
    capture 30 "$d/ipvsadm-timeout.txt" ipvsadm -Ln --timeout
    # Text for the lines that a report quotes, JSON because it leaves nothing to be guessed; old iproute2 has no JSON.
    capture 30 "$d/ip-addr.txt" ip addr
    capture 30 "$d/ip-d-link.txt" ip -d link
    capture 60 "$d/ip-route-all.txt" ip route show table all
    capture 30 "$d/ip-rule.txt" ip rule
    capture 30 "$d/ip-6-rule.txt" ip -6 rule
    capture 30 "$d/ip-neigh.txt" ip neigh
    capture 30 "$d/json/ip-addr.json" ip -j addr
    capture 30 "$d/json/ip-d-link.json" ip -j -d link
    capture 60 "$d/json/ip-route-all.json" ip -j route show table all
    capture 30 "$d/json/ip-rule.json" ip -j rule
    capture 30 "$d/json/ip-6-rule.json" ip -j -6 rule
    capture 30 "$d/json/ip-neigh.json" ip -j neigh
    needs ip_set
    capture 60 "$d/ipset-save.txt" ipset save
    netfilter_part
    if loaded tcp_diag && loaded udp_diag; then
        capture 30 "$d/ss-lntup.txt" ss -lntupe
    else
        # Told where /proc is, ss reads the sockets there and asks the kernel for no module.
        capture 30 "$d/ss-lntup.txt" env "PROC_ROOT=$PROC" ss -lntupe
    fi
    capture 30 "$d/sysctl.txt" sysctl net.ipv4.vs net.ipv4.conf net.ipv4.ip_forward net.ipv4.ip_nonlocal_bind \
        net.ipv4.ip_local_port_range net.ipv4.icmp_ratelimit net.ipv4.icmp_ratemask net.ipv6.conf.all.forwarding \
        net.netfilter net.bridge
    capture 30 "$d/lsmod.txt" lsmod
    capture 15 "$d/kube-proxy-mode.txt" sh -c "$FETCH" "http://$PROXY/proxyMode"
    capture 15 "$d/kube-proxy-version.txt" sh -c "$KUBE_PROXY_VERSION" "http://$PROXY/metrics"
    for process in $(processes kube-proxy); do
        capture 15 "$d/kube-proxy-args.txt" sh -c "$KUBE_PROXY_ARGS" "$process"
        break
    done
    capture 30 "$d/tool-versions.txt" sh -c "$TOOL_VERSIONS"
    needs ip_vs
    capture 60 "$d/ipvsadm-Lnc.txt" ipvsadm -Lnc
    needs nf_conntrack_netlink
    capture 30 "$d/conntrack-S.txt" conntrack -S
    if [ "$ONLY_SERVICES" = yes ]; then FILTER=only_services; fi
    if loaded nf_conntrack_netlink; then
        if command -v conntrack >/dev/null 2>&1; then
            capture 120 "$d/conntrack-L-extended.txt" sh -c "$CONNTRACK"
        else
            capture 120 "$d/conntrack-L-extended.txt" conntrack -L -o extended
        fi
    else
        capture 120 "$d/conntrack-L-extended.txt" cat "$PROC/net/nf_conntrack"
    fi
}

# iptables-save of the host's own variant, and of the other one where it holds anything: kube-proxy's image may have
# used that.
netfilter_part() {
    case $(iptables -V 2>/dev/null </dev/null) in
        *nf_tables*) own=nf_tables other=legacy ;;
        *) own='' other=nft ;;
    esac
    [ -z "$own" ] || needs nf_tables
    capture 60 "$d/iptables-save.txt" iptables-save -c
    [ -z "$own" ] || needs nf_tables
    capture 60 "$d/ip6tables-save.txt" ip6tables-save -c
    for family in ip ip6; do
        if [ "$other" = nft ]; then
            # Without the program there is nothing to miss.
            command -v "${family}tables-nft-save" >/dev/null 2>&1 || continue
            needs nf_tables
        elif ! grep -q . "$PROC/net/${family}_tables_names" 2>/dev/null; then
            # Asking for a legacy table makes it.
            SKIP='the kernel holds no legacy tables'
        fi
        capture 60 "$d/${family}tables-$other-save.txt" "${family}tables-$other-save" -c
    done
    needs nf_tables
    capture 60 "$d/nft-list-ruleset.txt" nft list ruleset
}

# ---- the cluster -------------------------------------------------------------

# kubectl prints one value per line, so the indentation tells where a list ends. What goes: values of environment
# variables and of the headers that probes send (which may hold a token), copies of whole objects that `kubectl apply` leaves in an annotation, managedFields, and, outside kube-system,
# command lines of containers. Output of another shape is refused (exit code 3) rather than let through.
without_values() {
    awk '
        function out(line) { if (held) print last; last = line; held = 1 }
        /(^|[^\\])"(env|httpHeaders|managedFields|args|command)": *\[ *[^] ]/ || /(^|[^\\])"env": *\[.*\{/ { bad = 1; exit }
        skip {
            if ($0 == indent "]" || $0 == indent "],") {
                skip = 0
                if ($0 == indent "]") sub(/,$/, "", last)
            }
            next
        }
        emptied {
            if ($0 == indent "]" || $0 == indent "],") { emptied = 0; out($0) }
            next
        }
        /^ *"managedFields": \[$/ { skip = 1; indent = $0; sub(/"managedFields": \[$/, "", indent); next }
        /^                "namespace": / { system_own = /"kube-system"/ }
        !system_own && /^ *"(args|command)": \[$/ {
            emptied = 1; indent = $0; sub(/"(args|command)": \[$/, "", indent)
            out($0); out(indent "    \"redacted\""); next
        }
        inside && ($0 == env_indent "]" || $0 == env_indent "],") { inside = 0 }
        inside && /^ *"value": / { sub(/"value": .*[^,]/, "\"value\": \"redacted\"") }
        /^ *"(env|httpHeaders)": \[$/ { inside = 1; env_indent = $0; sub(/"(env|httpHeaders)": \[$/, "", env_indent) }
        /^ *"kubectl\.kubernetes\.io\/last-applied-configuration": / { sub(/: ".*"/, ": \"redacted\"") }
        { out($0) }
        END { if (bad) exit 3; if (held) print last }'
}

# A Terway configuration of a self-managed cluster can hold the access key of the cloud account, and the kubeconfig beside
# that of kube-proxy a token or key.
without_access_keys() {
    sed -e 's/\(access_[a-z_]*\\*"[[:space:]]*:[[:space:]]*\\*"\)[^"\\]*/\1redacted/g' \
        -e 's/\(\\n *token: *\)[^"\\ ][^"\\]*/\1redacted/g' -e 's/\(\\n *password: *\)[^"\\ ][^"\\]*/\1redacted/g' \
        -e 's/\(\\n *client-key-data: *\)[^"\\ ][^"\\]*/\1redacted/g' | without_values
}

objects() {
    FILTER=without_values
    FILTERED='managedFields left out; env values, last-applied-configuration, command lines outside kube-system replaced'
    capture "$@"
}

kube() { kubectl ${CONTEXT:+--context "$CONTEXT"} "$@"; }

# config_maps FILE NAMESPACE NAME...
config_maps() {
    file=$1
    shift
    FILTER=without_access_keys
    FILTERED='managedFields left out; access keys, env values, last-applied-configuration replaced'
    capture 60 "cluster/$file" kubectl ${CONTEXT:+--context "$CONTEXT"} get configmap --ignore-not-found -o json -n "$@"
}

CNI_MAPS='eni-config|terway-[a-z0-9-]*|kube-flannel-cfg|calico-config|canal-config|cilium-config|antrea-config[a-z0-9-]*|kube-router-cfg'
cluster_part() {
    capture 60 cluster/version.json kubectl ${CONTEXT:+--context "$CONTEXT"} version -o json
    for kind in nodes services endpoints endpointslices pods; do
        objects 180 "cluster/$kind.json" kubectl ${CONTEXT:+--context "$CONTEXT"} get "$kind" -A -o json
    done
    objects 60 cluster/events.json kubectl ${CONTEXT:+--context "$CONTEXT"} get events -A \
        --field-selector involvedObject.kind=Service -o json
    objects 60 cluster/daemonsets.json kubectl ${CONTEXT:+--context "$CONTEXT"} get daemonsets -n kube-system -o json
    # By name, so that no other ConfigMap is in the bundle.
    limited 30 kubectl ${CONTEXT:+--context "$CONTEXT"} get configmaps -n kube-system -o name >"$WORK/maps" 2>/dev/null
    set -- kube-proxy kube-proxy-worker kube-proxy-master
    # shellcheck disable=SC2046  # names have no blanks
    set -- "$@" $(sed -n 's/^configmap\/\(kube-proxy-[a-z0-9.-]*\)$/\1/p' "$WORK/maps" |
        grep -v -x -e kube-proxy-worker -e kube-proxy-master)
    config_maps configmap-kube-proxy.json kube-system "$@"
    # shellcheck disable=SC2046
    set -- eni-config $(sed -n 's/^configmap\///p' "$WORK/maps" | grep -x -E "$CNI_MAPS" | grep -v -x eni-config)
    if ! [ -s "$WORK/maps" ]; then set -- eni-config kube-flannel-cfg calico-config cilium-config; fi
    config_maps configmap-cni.json kube-system "$@"
    config_maps configmap-flannel.json kube-flannel kube-flannel-cfg
    if [ "$CLB" = yes ]; then
        # The annotation of a user, or the label that the cloud controller sets.
        # shellcheck disable=SC2046
        set -- $(sed -n 's/^ *"[^" ]*loadbalancer-id": "\(lb-[a-z0-9]*\)",*$/\1/p' "$ROOT/cluster/services.json" \
            2>/dev/null | sort -u)
        if [ $# -gt 0 ]; then aliyun_part "$@"; else say 'no Service names a load balancer (CLB)'; fi
    fi
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

# ---- all nodes ---------------------------------------------------------------

# A name that can be a folder, a word of a command line and the inside of a JSON string.
is_name() { case $1 in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._:-]*) return 1 ;; esac }

# `NAME ADDRESS` a line in $WORK/nodes; nodes that cannot be visited go to $WORK/unreached with the reason.
list_nodes() {
    # shellcheck disable=SC2016
    limited 60 kubectl ${CONTEXT:+--context "$CONTEXT"} get nodes -o 'jsonpath={range .items[*]}{.metadata.name}{"|"}{.status.addresses[?(@.type=="InternalIP")].address}{"|"}{.metadata.labels.kubernetes\.io/os}{"|"}{.metadata.labels.type}{"\n"}{end}' >"$WORK/listed" 2>"$WORK/why"
    if [ -n "$NODES" ]; then
        if [ -f "$NODES" ]; then cat "$NODES"; else echo "$NODES"; fi | sed 's/#.*//' | tr -s ', \011\015' '[\n*]' | grep . |
            awk -F '|' -v "listed=$WORK/listed" '
                BEGIN { while ((getline line < listed) > 0) { split(line, f, "|"); split(f[2], a, " "); known[f[1]] = a[1] } }
                {
                    name = $0; address = ""
                    if (index($0, "=")) { name = $0; sub(/=.*/, "", name); address = $0; sub(/^[^=]*=/, "", address) }
                    else if (name in known) address = known[name]
                    # An address or a host name only: the node says its name itself.
                    else { address = name; if (listed_any()) name = name_of(address); else name = "-" }
                    line = name " " (address == "" ? name : address)
                    if (!(line in said)) print line
                    said[line] = 1
                }
                function listed_any(n) { for (n in known) return 1; return 0 }
                function name_of(value, n) { for (n in known) if (known[n] == value) return n; return "-" }' >"$WORK/nodes"
        [ -s "$WORK/nodes" ] || die "--nodes: no node in '$NODES'" 2
    else
        [ -s "$WORK/listed" ] || die "kubectl lists no nodes, and --nodes names none: $(tail -n 1 "$WORK/why")" 2
        awk -F '|' -v "other=$WORK/unreached" '
            $3 != "" && $3 != "linux" { print $1 "|" $2 "|" "runs " $3 >>other; next }
            $4 == "virtual-kubelet" { print $1 "|" $2 "|" "a virtual node has no kernel of its own" >>other; next }
            { split($2, a, " "); print $1, (a[1] == "" ? $1 : a[1]) }' "$WORK/listed" >"$WORK/nodes"
    fi
    while read -r name address; do
        is_name "$address" || die "'$address' is not an address" 2
        [ "$name" = - ] || is_name "$name" || die "'$name' is not a node's name" 2
        if [ "$name" = - ] && [ "$VIA" = kubectl ]; then die "kubectl knows no node $address" 2; fi
    done <"$WORK/nodes"
}

# visit NAME ADDRESS: run the node part there; the archive becomes part.tar.gz, what went wrong `why`. A shell of its own.
visit() {
    # Whatever ends this shell: nobody waits for an answer that does not come.
    trap ': >"$WORK/done"' EXIT
    trap 'stop; exit 143' HUP INT TERM
    set -- "$1" "$2" -b "$BUDGET" -s "$MIB"
    if [ "$1" != - ]; then set -- "$@" -n "$1"; fi
    if [ -n "$LIMIT" ]; then set -- "$@" -t "$LIMIT"; fi
    if [ "$ONLY_SERVICES" = yes ]; then set -- "$@" --with-conntrack-filter; fi
    BLOCKS=$((BLOCKS * 4)) # of a whole part
    if [ "$VIA" = ssh ]; then visit_by_ssh "$@"; else visit_by_pod "$@"; fi
    code=$?
    now >"$WORK/received"
    case $code in
        0) rm -f "$WORK/why" ;;
        124 | 137) echo "no answer within $((BUDGET + 60)) seconds" >>"$WORK/why" ;;
        *) [ -s "$WORK/why" ] || echo "exit code $code" >"$WORK/why" ;;
    esac
}

visit_by_ssh() {
    address=$2
    shift 2
    # Words without blanks or quotes, so the remote shell takes them as they are.
    remote="sh -s -- node -o - $*"
    remote="if [ \"\$(id -u)\" != 0 ] && sudo -n true 2>/dev/null; then exec sudo -n $remote; fi; exec $remote"
    now >"$WORK/sent"
    # ssh takes the first value that it is given for an option.
    set --
    while read -r option; do set -- "$@" -o "$option"; done <"$SSH_OPTIONS"
    set -- "$@" -o BatchMode=yes -o ConnectTimeout=15
    INPUT=$SELF
    limited "$((BUDGET + 60))" ssh "$@" "$SSH_USER$address" "$remote" >"$WORK/part.tar.gz" 2>"$WORK/why"
}

pod_manifest() {
    printf '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "%s", "labels": {"ipvscope-run": "%s"}}, "spec": {
 "nodeName": "%s", "hostNetwork": true, "hostPID": true, "restartPolicy": "Never", "activeDeadlineSeconds": %s,
 "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false, "enableServiceLinks": false,
 "tolerations": [{"operator": "Exists"}],
 "containers": [{"name": "collect", "image": "%s", "imagePullPolicy": "IfNotPresent",
  "command": ["chroot", "/host", "sleep", "%s"], "securityContext": {"privileged": true},
  "volumeMounts": [{"name": "host", "mountPath": "/host", "readOnly": true}, {"name": "work", "mountPath": "/host/tmp"}]}],
 "volumes": [{"name": "host", "hostPath": {"path": "/"}}, {"name": "work", "emptyDir": {}}]}}\n' \
        "$1" "$RUN" "$2" "$((BUDGET + 180))" "$IMAGE" "$((BUDGET + 180))"
}

# The host's files are mounted read-only; what the script writes goes to a folder that disappears with the pod.
visit_by_pod() {
    node=$1
    pod=ipvscope-collect-$RUN-${WORK##*/}
    shift 2
    pod_manifest "$pod" "$node" >"$WORK/pod.json"
    limited 60 kubectl ${CONTEXT:+--context "$CONTEXT"} create --validate=false -n "$POD_NAMESPACE" -f "$WORK/pod.json" \
        >/dev/null 2>"$WORK/why" || return 1
    waited=0
    while :; do
        limited 30 kubectl ${CONTEXT:+--context "$CONTEXT"} get pod "$pod" -n "$POD_NAMESPACE" -o \
            'jsonpath={.status.phase} {.status.containerStatuses[0].state.waiting.reason} {.status.reason} {.status.containerStatuses[0].state.waiting.message}' \
            >"$WORK/phase" 2>"$WORK/why"
        case $(cat "$WORK/phase") in
            Running*) break ;;
            Failed* | Succeeded* | *ErrImage* | *ImagePullBackOff* | *InvalidImage* | *CreateContainerError*) waited=120 ;;
        esac
        if [ "$waited" -ge 120 ]; then
            echo "the pod did not start: $(cat "$WORK/phase")" >"$WORK/why"
            return 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
    now >"$WORK/sent"
    INPUT=$SELF
    limited "$((BUDGET + 60))" kubectl ${CONTEXT:+--context "$CONTEXT"} exec -i -n "$POD_NAMESPACE" "$pod" -- \
        chroot /host sh -s -- node -o - "$@" >"$WORK/part.tar.gz" 2>"$WORK/why"
    answer=$?
    INPUT=/dev/null
    limited 60 kubectl ${CONTEXT:+--context "$CONTEXT"} delete pod "$pod" -n "$POD_NAMESPACE" --wait=false \
        >/dev/null 2>"$WORK/undeleted"
    return "$answer"
}

# Also called on a signal: whatever pod is still there has the label of this run.
delete_pods() {
    if [ "$VIA" != kubectl ] || [ -z "$PODS_MAY_BE_LEFT" ]; then return; fi
    PODS_MAY_BE_LEFT=''
    if ! limited 60 kubectl ${CONTEXT:+--context "$CONTEXT"} delete pods -n "$POD_NAMESPACE" -l "ipvscope-run=$RUN" \
        --ignore-not-found --wait=false >/dev/null 2>"$WORK/why"; then
        say "the pods could not be deleted: $(tail -n 1 "$WORK/why")
  by hand: kubectl delete pods -n $POD_NAMESPACE -l ipvscope-run=$RUN"
    fi
}

nap() { sleep 0.2 2>/dev/null || sleep 1; }

# One line that is written over on a terminal; elsewhere a line whenever a node is done.
progress() {
    finished=0 failed=0 running=
    for job in "$WORK"/visits/*; do
        if [ -f "$job/done" ]; then
            finished=$((finished + 1))
            if [ -f "$job/why" ]; then failed=$((failed + 1)); fi
        else
            running="$running $(cat "$job/name" 2>/dev/null)"
        fi
    done
    text="$finished of $TOTAL nodes done, $failed failed, $(($(date +%s) - CLOCK)) s"
    if [ -t 2 ]; then
        printf '\r\033[K%.79s' "$text:$running" >&2
    elif [ "$finished" != "$REPORTED" ]; then
        say "$text"
    fi
    REPORTED=$finished
}

all_part() {
    list_nodes
    TOTAL=$(($(wc -l <"$WORK/nodes"))) CLOCK=$(date +%s) REPORTED=0
    mkdir "$WORK/visits" "$WORK/cluster"
    PODS_MAY_BE_LEFT=yes
    # The objects are taken while the nodes are visited: the closer together, the better they can be compared.
    (
        WORK=$WORK/cluster
        trap - EXIT
        trap 'stop; exit 143' HUP INT TERM
        cluster_part
    ) </dev/null &
    JOBS=$!
    index=0 finished=0
    while read -r name address <&4; do
        index=$((index + 1))
        while progress && [ "$((index - 1 - finished))" -ge "$PARALLEL" ]; do nap; done
        mkdir "$WORK/visits/$index"
        echo "$name $address" >"$WORK/visits/$index/node"
        if [ "$name" = - ]; then echo "$address"; else echo "$name"; fi >"$WORK/visits/$index/name"
        (WORK=$WORK/visits/$index && visit "$name" "$address") </dev/null 4<&- &
        JOBS="$JOBS $!"
    done 4<"$WORK/nodes"
    while progress && [ "$finished" -lt "$TOTAL" ]; do nap; done
    if [ -t 2 ]; then echo >&2; fi
    wait
    JOBS=
    delete_pods
    if [ -f "$WORK/cluster/commands" ]; then cat "$WORK/cluster/commands" >>"$WORK/commands"; fi
    for job in "$WORK"/visits/*; do
        read -r name address <"$job/node"
        why=
        if [ -f "$job/why" ]; then
            why=$(tail -n 3 "$job/why" | tr '\n' ' ')
            why=${why:-the visit was ended}
        elif ! add_part "$job/part.tar.gz" "$name"; then
            why=$WHY
        fi
        [ "$name" != - ] || name=$PART_NODE
        visited "$name" "$address" "$(cat "$job/sent" 2>/dev/null)" "$(cat "$job/received" 2>/dev/null)" "$why"
    done
    if [ -f "$WORK/unreached" ]; then
        while IFS='|' read -r name address why; do visited "$name" "${address%% *}" '' '' "$why"; done <"$WORK/unreached"
    fi
}

# visited NAME ADDRESS SENT RECEIVED WHY: a line for the manifest.
visited() {
    reached=true
    [ -z "$5" ] || reached=false
    printf '{"node": "%s", "address": "%s", "via": "%s", "reached": %s, "sent": "%s", "received": "%s", "reason": "%s"}\n' \
        "$(printf '%s' "$1" | json_text)" "$(printf '%s' "$2" | json_text)" "$VIA" "$reached" "$3" "$4" \
        "$(printf '%s' "$5" | json_text)" >>"$WORK/visited"
}

# ---- parts and the manifest --------------------------------------------------

# add_part ARCHIVE [NODE]: unpack a part that this script made; of a node, nothing but what it says of itself. Manifests
# have one command per line, so they join as text. Otherwise WHY says what is wrong.
add_part() {
    PART_NODE=''
    # Only what this script writes: regular files and folders, no path upwards.
    if ! tar -tzvf "$1" >"$WORK/listing" 2>/dev/null || grep -q -v '^[-d]' "$WORK/listing" ||
        ! tar -tzf "$1" | awk '/^\/|(^|\/)\.\.(\/|$)/ { bad = 1 } END { exit bad }'; then
        WHY='not a part made by collect.sh'
        return 1
    fi
    rm -rf "$WORK/part"
    mkdir "$WORK/part"
    if ! tar -xzf "$1" -C "$WORK/part" 2>/dev/null; then
        WHY='cannot be unpacked'
        return 1
    fi
    for folder in "$WORK/part" "$WORK/part"/*; do
        [ -f "$folder/manifest.json" ] && break
    done
    if ! grep -q '"format": 1,$' "$folder/manifest.json" 2>/dev/null; then
        WHY='no manifest of format 1'
        return 1
    fi
    sed -n 's/^  \({"node": .*}\),*$/\1/p' "$folder/manifest.json" >"$WORK/lines"
    if [ $# -gt 1 ]; then
        for own in "$folder/nodes"/*/; do PART_NODE=$(basename "$own"); done
        if [ "$2" != - ] && [ "$2" != "$PART_NODE" ] || ! is_name "$PART_NODE" || [ -e "$ROOT/nodes/$PART_NODE" ]; then
            WHY="the answer is of a node called '$(printf '%s' "$PART_NODE" | tr -c 'A-Za-z0-9._-' '?')'"
            return 1
        fi
        mkdir -p "$ROOT/nodes"
        cp -R "$folder/nodes/$PART_NODE" "$ROOT/nodes/"
        grep "^{\"node\": \"$PART_NODE\", \"argv\": " "$WORK/lines" >>"$WORK/commands"
    else
        for area in "$folder/nodes"/*/ "$folder/cluster/"; do
            area=${area%/} area=${area#"$folder/"}
            if [ -d "$folder/$area" ] && [ -e "$ROOT/$area" ]; then
                WHY="holds $(printf '%s' "$area" | tr -c 'A-Za-z0-9._/-' '?'), as an archive before it does; the two are of different times"
                return 1
            fi
        done
        grep '^{"node": "[^"]*", "argv": ' "$WORK/lines" >>"$WORK/commands"
        grep '^{"node": "[^"]*", "address": ' "$WORK/lines" >>"$WORK/visited"
        sed -n 's/^ "nodes_expected": \[\(..*\)\],$/\1/p' "$folder/manifest.json" | tr ',' '\n' |
            sed 's/^ *"\(.*\)"$/\1/' >>"$WORK/expected"
        for area in nodes cluster cloud; do
            if [ -d "$folder/$area" ]; then cp -R "$folder/$area" "$ROOT/"; fi
        done
    fi
    rm -rf "$WORK/part"
}

merge_parts() {
    for archive in "$@"; do
        [ -f "$archive" ] || die "$archive: no such file" 2
        add_part "$archive" || die "$archive: $WHY"
    done
}

# lines FILE KEY END: a list of the manifest whose items are lines of a file.
lines() {
    printf ' "%s": [' "$2"
    if [ -s "$1" ]; then
        printf '\n'
        sed -e 's/^/  /' -e '$!s/$/,/' "$1"
        printf ' '
    fi
    printf ']%s\n' "$3"
}

manifest() {
    if [ -f "$ROOT/cluster/nodes.json" ]; then
        # Names of the Node objects: kubectl prints an item's metadata.name 16 blanks deep, and nothing else there.
        sed -n 's/^ \{16\}"name": "\([^"]*\)",*$/\1/p' "$ROOT/cluster/nodes.json" >>"$WORK/expected"
    elif [ -f "$WORK/nodes" ]; then
        sed -n 's/^\([^ -][^ ]*\) .*/\1/p' "$WORK/nodes" >>"$WORK/expected"
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
    printf ' "started": "%s",\n "finished": "%s",\n "cluster": "%s",\n "root": %s,\n' "$STARTED" "$(now)" \
        "$(printf '%s' "$CLUSTER" | json_text)" "$([ "$(id -u)" = 0 ] && echo true || echo false)"
    printf ' "nodes_expected": %s,\n "nodes_present": %s,\n' "$expected" "$present"
    lines "$WORK/visited" nodes ,
    lines "$WORK/commands" commands ''
    printf '}\n'
}

# What was not taken, and what that costs, for whoever waits for the archive.
summary() {
    [ -f "$WORK/commands" ] || : >"$WORK/commands"
    if [ -f "$WORK/visited" ]; then
        sed -n 's/^{"node": "\([^"]*\)", "address": "\([^"]*\)", .*"reached": false, .*"reason": "\(.*\)"}$/\1 (\2): not visited: \3/p' \
            "$WORK/visited" | sed 's/^/  /; s/\\n/ /g; s/\\\(.\)/\1/g; s/$/\
    verdicts from, to and through it rest on what kube-proxy should have programmed there/' >"$WORK/away"
    else
        : >"$WORK/away"
    fi
    sed -n 's/^{"node": "\([^"]*\)", "argv": .*, "file": "\([^"]*\)", "present": \([a-z]*\), "started": .*, "exit_code": \([0-9a-z]*\), "seconds": [0-9]*, "timed_out": \([a-z]*\), "truncated": \([a-z]*\), "complete": \([a-z]*\), .*"skipped": "\([^"]*\)", "stderr_tail": "\(.*\)"}$/\1|\2|\3|\4|\5|\6|\7|\8|\9/p' \
        "$WORK/commands" | awk -F '|' '
        BEGIN {
            cost["ipvsadm-Ln.txt"] = "virtual servers are computed from the objects, not read from the kernel"
            cost["ip-addr.txt"] = "whether a node holds a Service address itself is not known"
            cost["ipset-save.txt"] = "who is masqueraded and what kube-proxy refuses is computed"
            cost["iptables-save.txt"] = "masquerading, rejects and firewall rules of the node are not seen"
            cost["ip-route-all.txt"] = cost["ip-rule.txt"] = "the way packets leave the node is assumed"
            cost["ss-lntup.txt"] = "which process answers on the node itself is not known"
            cost["conntrack-L-extended.txt"] = "verdicts are not compared with connections that happened"
            cost["sysctl.txt"] = "rp_filter, forwarding and vs.conntrack are assumed"
            cost["services.json"] = "there is no Service to explain"
            cost["endpointslices.json"] = "real servers come from Endpoints, without zone hints and conditions"
            cost["endpoints.json"] = "real servers come from EndpointSlices alone"
            cost["nodes.json"] = "addresses of nodes and which are missing are not known"
            cost["pods.json"] = "which pod and node answers is not known"
            cost["configmap-kube-proxy.json"] = "the proxy mode is read off the nodes, its options are assumed"
            cost["daemonsets.json"] = "versions of kube-proxy and of the CNI are assumed"
        }
        {
            base = $2; sub(/.*\//, "", base)
            if ($3 == "true") taken++; else missing++
            if (!(base in cost) && base !~ /^Describe/) next
            what = ""
            if ($5 == "true") what = "ended by the time limit"
            else if ($6 == "true") what = "cut at the size limit"
            else if ($8 != "") what = $8
            else if ($3 == "false") {
                n = split($9, part, /\\n/)
                # ipvsadm has the reason in the line before.
                what = part[part[n] ~ /^Are you sure/ && n > 1 ? n - 1 : n]
                gsub(/\\/, "", what)
            }
            if (what == "" && ($7 == "true" || $4 == "0")) next
            if (what == "") what = "exit code " $4
            key = base ": " substr(what, 1, 160)
            count[key]++
            if (count[key] <= 3 && $1 != "") where[key] = where[key] (where[key] == "" ? "" : ", ") $1
            why[key] = cost[base]
            if (!(key in seen)) { seen[key] = 1; order[++keys] = key }
        }
        END {
            printf "collect.sh: %d captures taken, %d not\n", taken, missing
            for (i = 1; i <= keys; i++) {
                key = order[i]
                more = count[key] > 3 ? " and " count[key] - 3 " more" : ""
                printf "  %s%s\n", key, where[key] == "" ? "" : " (" where[key] more ")"
                if (why[key] != "") printf "    %s\n", why[key]
            }
        }' >&2
    cat "$WORK/away" >&2
}

# ---- main --------------------------------------------------------------------

on_exit() {
    delete_pods
    if [ -n "$UNFINISHED" ]; then rm -f "$UNFINISHED"; fi
    rm -rf "$WORK"
}

on_signal() {
    trap '' HUP INT TERM
    # shellcheck disable=SC2086  # numbers
    stop $JOBS
    wait
    exit 130
}

# The size limit in blocks of 512 bytes: what was asked for, and never more than a quarter of the free space.
size_limit() {
    BLOCKS=$((MIB * 2048))
    free=$(df -Pk "$WORK" 2>/dev/null | awk 'NR == 2 { print int($4) }')
    if [ -n "$free" ] && [ "$((free / 2))" -lt "$BLOCKS" ]; then BLOCKS=$((free / 2)); fi
    if [ "$BLOCKS" -lt 64 ]; then die "no space for temporary files in ${TMPDIR:-/tmp}"; fi
}

options() {
    OUT=. NODE='' LIMIT='' REGION='' CLUSTER='' MIB=512 BUDGET=240 PARALLEL=10 CONTEXT='' NODES='' VIA='' SSH_USER=''
    IMAGE=busybox POD_NAMESPACE=kube-system ONLY_SERVICES=no CLB=no REDACT=no OPTIONS_GIVEN='' JOBS='' PODS_MAY_BE_LEFT='' UNFINISHED=''
    while [ $# -gt 0 ]; do
        case $1 in
            -o | -n | -t | -r | -s | -b | -j | --context | --ssh | --ssh-option | --image | --pod-namespace | --nodes)
                [ $# -ge 2 ] || usage
                case $1 in
                    -o) OUT=$2 ;;
                    -n) NODE=$2 ;;
                    -t) LIMIT=$2 ;;
                    -r) REGION=$2 ;;
                    -s) MIB=$2 ;;
                    -b) BUDGET=$2 ;;
                    -j) PARALLEL=$2 ;;
                    --context) CONTEXT=$2 ;;
                    --ssh) VIA="${VIA}ssh" SSH_USER=$2 ;;
                    --ssh-option) OPTIONS_GIVEN="$OPTIONS_GIVEN$2
" ;;
                    --image) IMAGE=$2 ;;
                    --pod-namespace) POD_NAMESPACE=$2 ;;
                    --nodes) NODES=$2 ;;
                esac
                shift 2
                ;;
            --kubectl) VIA="${VIA}kubectl" && shift ;;
            --clb) CLB=yes && shift ;;
            --redact) REDACT=yes && shift ;;
            --with-conntrack-filter) ONLY_SERVICES=yes && shift ;;
            -h | --help) usage help ;;
            --) shift && break ;;
            -*) usage ;;
            *) break ;;
        esac
    done
    for number in "${LIMIT:-1}" "$MIB" "$BUDGET" "$PARALLEL"; do
        case $number in '' | *[!0-9]* | 0* | ???????*) usage ;; esac
    done
    case $REGION in *[!A-Za-z0-9-]*) usage ;; esac
    case $IMAGE in '' | *[!A-Za-z0-9._/:@-]*) usage ;; esac
    case $SSH_USER in '' | *@) ;; *) SSH_USER=$SSH_USER@ ;; esac
    case $SSH_USER in -* | *[!A-Za-z0-9._@\\-]*) usage ;; esac
    is_name "$POD_NAMESPACE" || usage
    case $PART$VIA in
        node | cluster) [ $# -eq 0 ] || usage ;;
        allssh | allkubectl) [ $# -eq 0 ] || usage ;;
        cloud-aliyun | merge) [ $# -ge 1 ] || usage ;;
        *) usage ;;
    esac
    if [ "$PART" = cloud-aliyun ]; then
        for lb in "$@"; do
            case $lb in -* | *[!A-Za-z0-9-]*) die "'$lb' is not a load balancer's id" 2 ;; esac
        done
    fi
    if [ "$PART" = all ]; then
        SELF=$0
        if ! grep -q '^# collect.sh: take' "$SELF" 2>/dev/null; then
            die 'all: this script must be a file, because it is sent to the nodes' 2
        fi
        command -v "$VIA" >/dev/null 2>&1 || die "all: there is no $VIA here" 2
    fi
    # Before anything is collected: whoever wants it redacted must not end up with a bundle that is not.
    if [ "$REDACT" = yes ]; then
        [ "$OUT" != - ] || die '--redact needs -o DIR or FILE.tar.gz: the mapping of names stays beside it' 2
        ipvscope redact --help >/dev/null 2>&1 || die "--redact: there is no command 'ipvscope redact' on the PATH" 2
    fi
    REST=$#
}

# Where the archive goes: a folder, or a file by its ending.
destination() {
    case $OUT in
        *.tar.gz | *.tgz) RESULT=$OUT ;;
        *) RESULT=$OUT/${ROOT##*/}.tar.gz ;;
    esac
    case $RESULT in ?*/*) mkdir -p "${RESULT%/*}" || die "${RESULT%/*}: cannot be made" ;; esac
}

main() {
    [ $# -ge 1 ] || usage
    PART=$1
    shift
    case $PART in -h | --help) usage help ;; esac
    options "$@"
    shift $(($# - REST))

    umask 077
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/ipvscope.XXXXXX") || die "no temporary folder"
    trap on_exit EXIT
    trap on_signal HUP INT TERM
    find_timeout
    size_limit
    stamp=$(date -u +%Y%m%dT%H%M%SZ)
    RUN=$stamp-$$
    RUN=$(echo "$RUN" | tr 'TZ' 'tz')
    SSH_OPTIONS=$WORK/ssh-options
    printf '%s' "$OPTIONS_GIVEN" >"$SSH_OPTIONS"
    STARTED=$(now)
    label=$PART
    case $PART in
        node) prepare_node ;;
        merge | all) label=bundle ;;
    esac
    ROOT=$WORK/ipvscope-$label-$stamp
    mkdir "$ROOT"
    if [ "$OUT" != - ]; then destination; fi
    case $PART in
        cluster | all)
            CLUSTER=$(kube config view --minify -o 'jsonpath={.clusters[0].name}' 2>/dev/null </dev/null)
            ;;
    esac
    case $PART in
        node) node_part ;;
        cluster) cluster_part ;;
        all) all_part ;;
        cloud-aliyun) aliyun_part "$@" ;;
        merge) merge_parts "$@" ;;
    esac
    manifest >"$ROOT/manifest.json"
    summary
    deliver
}

# prepare_node: its name, its time, and a low priority, because it has other things to do. Either command may be missing.
prepare_node() {
    [ "$(id -u)" = 0 ] || say "not root: most captures will fail"
    [ -n "$NODE" ] || NODE=$(node_name)
    # Node names are DNS names; anything else would break paths.
    NODE=$(printf '%s' "$NODE" | tr -c 'A-Za-z0-9._-' '_' | sed 's/^[^A-Za-z0-9]*//')
    [ -n "$NODE" ] || die "no usable node name; give one with -n" 2
    # Who wants names taken out wants none in the archive's own name.
    [ "$REDACT" = yes ] || label=node-$NODE
    DEADLINE=$(($(date +%s) + BUDGET))
    renice -n 19 -p $$ >/dev/null 2>&1
    ionice -c 3 -p $$ >/dev/null 2>&1
}

# deliver: write the archive to where it goes, as a whole or not at all.
deliver() {
    if [ "$OUT" = - ]; then
        tar -C "$WORK" -cf - "${ROOT##*/}" | gzip -c
        return
    fi
    if [ "$REDACT" = yes ]; then
        pack "$WORK/plain.tar.gz"
        ipvscope redact "$WORK/plain.tar.gz" -o "$RESULT" >&2 || die "ipvscope redact failed; nothing was written"
    else
        UNFINISHED=$RESULT.part
        pack "$UNFINISHED"
        mv -f "$UNFINISHED" "$RESULT" || die "$RESULT: cannot be written"
        UNFINISHED=
    fi
    printf '%s\n' "$RESULT"
}

# pack FILE: the bundle as an archive. A pipe would hide it when tar fails.
pack() {
    tar -C "$WORK" -cf "$WORK/whole.tar" "${ROOT##*/}" || die "$WORK: full"
    gzip -c <"$WORK/whole.tar" >"$1" || die "$1: cannot be written"
    rm -f "$WORK/whole.tar"
}

# Called on the last line, so that `sh -s < collect.sh` has read everything before anything runs.
main "$@"
