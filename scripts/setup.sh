#!/bin/sh
# setup.sh: everything `make` needs before it can run ipvscope, each step skipped when it is already done.
#
#   setup.sh venv            make .venv with the newest Python >= 3.11 (or $PYTHON)
#   setup.sh python EXTRAS   install the project with these extras into .venv, for example: dev,pdf
#   setup.sh tools           what the tests of collect.sh run: shells, networking tools, kubectl, sshd
#   setup.sh system          Pango and HarfBuzz (WeasyPrint draws with them), a Latin and a Chinese font
#   setup.sh browser         Chromium, for the tests of the HTML report; without it they are skipped
#
# Debian and Ubuntu: packages come from apt-get, as root or with sudo. Elsewhere, or with IPVSCOPE_SKIP_APT=1, the
# script only says what is needed. Without network it succeeds when everything is there already.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
die() {
    say "$*"
    exit 1
}

is_new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

pick_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || die "PYTHON=$PYTHON is not a Python >= 3.11"
        echo "$PYTHON"
        return
    fi
    # A name on PATH may be a shim for a version that is not installed, so each one is run.
    for candidate in python3.13 python3.12 python3.11 python3; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    die "Python >= 3.11 is needed. By hand: apt-get install python3 python3-venv (Debian 12, Ubuntu 24.04 or newer)"
}

has_package() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

can_install() {
    [ -z "${IPVSCOPE_SKIP_APT:-}" ] && command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    # Asking for a password makes sense only where somebody can answer.
    sudo -n true 2>/dev/null || { [ -z "${CI:-}" ] && [ -t 0 ] && sudo -v; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends "$@" >&2
}

apt_update() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 update >&2; }

# install WHY PACKAGE...: the lists are fetched only when they do not know a package or are out of date.
install() {
    why=$1
    shift
    can_install || {
        say "$why. By hand, as root:"
        say "  apt-get update && apt-get install -y --no-install-recommends $*"
        return 1
    }
    say "$why: installing $*"
    for package in "$@"; do
        if ! apt-cache show "$package" >/dev/null 2>&1; then
            apt_update || true
            break
        fi
    done
    apt_install "$@" || { apt_update && apt_install "$@"; }
}

make_venv() {
    if [ -x .venv/bin/python ] && is_new_enough .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null; then
        return
    fi
    python=$(pick_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        # Debian keeps ensurepip in a package of its own, one per version of Python.
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        install "$python cannot make virtual environments" "python$version-venv" || die "no virtual environment"
    fi
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
}

install_project() {
    if .venv/bin/python scripts/installed.py "$1"; then
        return
    fi
    say "installing the project with [$1] into .venv"
    .venv/bin/python -m pip install --disable-pip-version-check --no-input -q -e ".[$1]" ||
        die "pip could not install the project: is there a network or a package index?"
}

install_system() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "no dpkg here: a PDF needs Pango >= 1.44 and a Chinese font; see the WeasyPrint documentation"
        return
    fi
    missing=
    for package in fontconfig fonts-dejavu-core libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; do
        has_package "$package" || missing="$missing $package"
    done
    font=
    if ! command -v fc-list >/dev/null 2>&1 || [ -z "$(fc-list :lang=zh family 2>/dev/null)" ]; then
        font=fonts-noto-cjk
    fi
    [ -n "$missing$font" ] || return 0
    # shellcheck disable=SC2086  # lists of names
    install "PDF reports need libraries and fonts" $missing $font ||
        { [ -n "$font" ] && can_install && install "again, with a smaller font" $missing fonts-wqy-zenhei; } ||
        skip_or_die
}

# Tests that miss one of these are skipped and say so; nothing fails for it.
install_tools() {
    command -v apt-get >/dev/null 2>&1 || return 0
    PATH=$PATH:/usr/sbin:/sbin
    missing=
    for pair in busybox=busybox dash=dash shellcheck=shellcheck ip=iproute2 conntrack=conntrack ipset=ipset \
        iptables=iptables nft=nftables sysctl=procps lsmod=kmod ssh=openssh-client kubectl=kubernetes-client; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
    done
    # This package opens a port on the machine: only where the whole machine is there for the tests.
    if [ -n "${CI:-}" ] || [ "$(id -u)" = 0 ]; then
        command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
    fi
    [ -n "$missing" ] || return 0
    can_install || {
        say "some tests of collect.sh will be skipped without:$missing"
        return 0
    }
    # Not every release has every package.
    known=
    for again in no yes; do
        known=
        for package in $missing; do
            if apt-cache show "$package" >/dev/null 2>&1; then known="$known $package"; fi
        done
        if [ "$known" = "$missing" ] || [ "$again" = yes ]; then break; fi
        apt_update || true
    done
    [ -n "$known" ] || return 0
    say "tests of collect.sh: installing$known"
    # shellcheck disable=SC2086  # a list of names
    apt_install $known || { apt_update && apt_install $known; } || say "going on without; some tests will be skipped"
}

install_browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null 2>&1; then
            return 0
        fi
    done
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "no dpkg here and no Chromium: the tests of the HTML report in a browser are skipped"
        return 0
    fi
    # Ubuntu's package is only a stub that asks for snap; tests then skip and say so.
    install "tests open the HTML report in a browser" chromium ||
        say "going on without Chromium: the tests of the HTML report in a browser are skipped"
}

skip_or_die() {
    [ -n "${IPVSCOPE_SKIP_APT:-}" ] || die "stopped; IPVSCOPE_SKIP_APT=1 goes on without these packages"
    say "going on without them, as IPVSCOPE_SKIP_APT asks: PDF reports may fail or lack characters"
}

case ${1:-} in
    venv) make_venv ;;
    python) install_project "${2:?which extras}" ;;
    tools) install_tools ;;
    system) install_system ;;
    browser) install_browser ;;
    *) die "usage: setup.sh venv | python EXTRAS | tools | system | browser" ;;
esac
