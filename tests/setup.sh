#!/usr/bin/env bash
# Brings what the tests need: system packages, and two real Asterisks (22 and 16) and a real Kamailio unpacked from
# the distribution's own packages into .peers/ (never installed, so that no daemon is started). Safe to run again: a
# second run only looks and says so. What can't be had is a failure: no test is skipped for want of a peer.
#
#   tests/setup.sh            everything
#   tests/setup.sh --fresh    forget the cached Asterisks and Kamailio first
#
# PARKDECK_PEERS names another folder than .peers/, for instance one that several checkouts share.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=${PARKDECK_PEERS:-$repository/.peers}
# Raise it whenever what is unpacked or how it is laid out changes: older caches are then rebuilt.
asterisk_recipe=3
asterisk16_recipe=1
kamailio_recipe=1
packages=(build-essential pkg-config cmake libasound2-dev libasound2-plugins sip-tester baresip-core linphone-cli iproute2 pulseaudio)
asterisk_packages=(asterisk asterisk-core-sounds-en-gsm asterisk-moh-opsound-gsm)
kamailio_packages=(kamailio kamailio-presence-modules kamailio-tls-modules)

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: FAILED: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "need root for: $* (run as root, or install sudo)"; fi
}

# Runs a command silently; its last lines are shown only when it fails.
quietly() {
    local log="$peers/setup.log"
    if ! "$@" >"$log" 2>&1; then tail -n 15 "$log" >&2; return 1; fi
}

# ---------------------------------------------------------------- system packages

missing_packages() {
    local name
    for name in "${packages[@]}"; do
        dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || printf '%s\n' "$name"
    done
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    if [ "${#missing[@]}" = 0 ]; then say "system packages: all there"; return; fi
    say "system packages: installing ${missing[*]}"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120
        --no-install-recommends install "${missing[@]}")
    # With lists that are absent or too old the first try fails; then update, once.
    if ! as_root "${install[@]}" >"$peers/setup.log" 2>&1; then
        say "system packages: apt-get update"
        quietly as_root apt-get -o DPkg::Lock::Timeout=120 update || fail "apt-get update"
        quietly as_root "${install[@]}" || fail "apt-get install ${missing[*]}"
    fi
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" = 0 ] || fail "still missing after the installation: ${missing[*]}"
}

# ---------------------------------------------------------------- where packages come from

# "address suite" for each binary source that this machine's own apt configuration enables, both in the
# one-line format and in deb822. The script itself knows no host.
machine_sources() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -r "$file" ] || continue
        sed -nE 's/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]*)?([^[:space:]]+)[[:space:]]+([^[:space:]#]+).*/\2 \3/p' "$file"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -r "$file" ] || continue
        sed 's/\r$//' "$file" | awk '
            function flush(   u, s, i, j, nu, ns) {
                if (enabled && types ~ /(^|[ \t])deb([ \t]|$)/) {
                    nu = split(uris, u, /[ \t]+/); ns = split(suites, s, /[ \t]+/)
                    for (j = 1; j <= ns; j++) for (i = 1; i <= nu; i++) if (u[i] != "" && s[j] != "") print u[i], s[j]
                }
                types = uris = suites = field = ""; enabled = 1
            }
            BEGIN { enabled = 1 }
            /^[ \t]*#/ { next }
            /^[ \t]*$/ { flush(); next }
            /^[^ \t:]+:/ {
                field = tolower(substr($0, 1, index($0, ":") - 1)); value = substr($0, index($0, ":") + 1)
                if (field == "enabled" && tolower(value) ~ /no|false|0/) enabled = 0
            }
            /^[ \t]/ { value = $0 }
            field == "types" { types = types " " value }
            field == "uris" { uris = uris " " value }
            field == "suites" { suites = suites " " value }
            END { flush() }'
    done
}

# The first address that serves the distribution's main suite: the same place has the other suites.
mirror_of() {
    local wanted
    for wanted in "$@"; do
        machine_sources | awk -v wanted="$wanted" '$2 == wanted && $1 !~ /security/ { print $1; found = 1; exit } END { exit !found }' && return
    done
    return 1
}

# ---------------------------------------------------------------- the Asterisks, unpacked

# fetch_asterisk FOLDER SOURCES: downloads with an apt state of its own, then unpacks. An empty package database
# makes apt fetch the whole closure, the C library included.
fetch_asterisk() {
    local folder=$1 state="$1/apt"
    rm -rf "$folder"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/etc" "$folder/root"
    printf '%s\n' "$2" >"$state/etc/sources.list"
    : >"$state/status"
    local apt=(apt-get -y
        -o Dir::Etc::sourcelist="$state/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
        -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status"
        -o Dir::Cache="$state/cache" -o Debug::NoLocking=1 -o APT::Keep-Downloaded-Packages=true
        -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o APT::Sandbox::User=root
        -o Acquire::Retries=3)
    quietly "${apt[@]}" update || return 1
    quietly "${apt[@]}" -d --no-install-recommends install "${asterisk_packages[@]}" || return 1
    local package
    for package in "$state"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -C "$folder/root" -xf - --keep-directory-symlink --no-same-owner || return 1
    done
    rm -rf "$state"
}

# Lays down what the tests start: `asterisk` (keeps its pid: exec), `modules`, `data`, `var`, `version`.
describe_asterisk() {
    local folder=$1 root="$1/root" multiarch
    multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
    local loader modules='' candidate
    # The file itself first: the other names may be links that lead out of the folder, to this machine's own.
    loader=$(cd "$root" && find "usr/lib/$multiarch" "lib/$multiarch" usr/lib64 usr/lib lib64 lib -maxdepth 1 \
        -name 'ld-linux-*.so.*' 2>/dev/null | head -n 1)
    for candidate in "usr/lib/$multiarch/asterisk/modules" usr/lib/asterisk/modules; do
        if [ -e "$root/$candidate/res_parking.so" ]; then modules=$candidate; break; fi
    done
    [ -n "$modules" ] || return 1
    # What the package's installation would have linked: without it Asterisk has no voice.
    local sounds
    sounds=$(cd "$root/usr/share/asterisk/sounds" && find . -maxdepth 1 -name 'en_*' -printf '%f\n' | sort | head -n 1)
    [ -e "$root/usr/share/asterisk/sounds/en" ] || [ -z "$sounds" ] || ln -s "$sounds" "$root/usr/share/asterisk/sounds/en"
    ln -s "root/$modules" "$folder/modules"
    ln -s root/usr/share/asterisk "$folder/data"
    ln -s root/var/lib/asterisk "$folder/var"
    cat >"$folder/asterisk" <<WRAPPER
#!/bin/sh
# Starts the unpacked Asterisk through its own loader and C library; exec keeps the pid.
root=\$(dirname "\$(readlink -f "\$0")")/root
libraries="\$root/usr/lib/$multiarch:\$root/lib/$multiarch:\$root/usr/lib/$multiarch/pulseaudio:\$root/usr/lib"
if [ -n "$loader" ] && [ -x "\$root/$loader" ]; then
    exec "\$root/$loader" --library-path "\$libraries" "\$root/usr/sbin/asterisk" "\$@"
fi
LD_LIBRARY_PATH="\$libraries" exec "\$root/usr/sbin/asterisk" "\$@"
WRAPPER
    chmod +x "$folder/asterisk"
    "$folder/asterisk" -V >"$folder/version" 2>"$peers/setup.log" || return 1
    [ -s "$folder/version" ]
}

# asterisk_is_cached NAME RECIPE
asterisk_is_cached() {
    local folder="$peers/$1"
    [ "$(cat "$folder/recipe" 2>/dev/null)" = "$2" ] &&
        [ "$("$folder/asterisk" -V 2>/dev/null)" = "$(cat "$folder/version" 2>/dev/null)" ]
}

# provide_asterisk NAME RECIPE WHAT SOURCES: whole or nothing, so that a broken run leaves no half cache.
provide_asterisk() {
    local folder="$peers/$1"
    if asterisk_is_cached "$1" "$2"; then say "$1: $(cat "$folder/version") cached"; return; fi
    say "$1: fetching $3 from this machine's package mirror (about 80 MB)"
    fetch_asterisk "$folder.new" "$4" && describe_asterisk "$folder.new" || {
        rm -rf "$folder.new"
        fail "$3 could not be had from this machine's package mirror; the tests against it can't run"
    }
    printf '%s\n' "$2" >"$folder.new/recipe"
    rm -rf "$folder"
    mv "$folder.new" "$folder"
    say "$1: $(cat "$folder/version") ready"
}

# Both from the mirror of this machine's own distribution, each with the whole of its own suite around it: its own C
# library and loader too, so that it doesn't matter how old this machine is.
provide_asterisks() {
    local distribution codename mirror key
    distribution=$(. /etc/os-release && printf '%s' "$ID")
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    case $distribution in
    debian)
        key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
        mirror=$(mirror_of "$codename" stable testing sid unstable) ||
            fail "no Debian mirror in this machine's apt sources (/etc/apt/sources.list and sources.list.d)"
        provide_asterisk asterisk "$asterisk_recipe" "Asterisk 22 (sid)" "deb $key $mirror sid main"
        provide_asterisk asterisk16 "$asterisk16_recipe" "Asterisk 16 (bullseye)" "deb $key $mirror bullseye main"
        ;;
    ubuntu)
        # The newest that this Ubuntu has, and 16 from 20.04, the only one that has it.
        key='[signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg]'
        mirror=$(mirror_of "$codename") ||
            fail "no Ubuntu mirror in this machine's apt sources (/etc/apt/sources.list and sources.list.d)"
        provide_asterisk asterisk "$asterisk_recipe" "Asterisk ($codename)" "deb $key $mirror $codename main universe"
        provide_asterisk asterisk16 "$asterisk16_recipe" "Asterisk 16 (focal)" "deb $key $mirror focal main universe"
        ;;
    *) fail "no recipe for Asterisk on '$distribution' (Debian and Ubuntu are known)" ;;
    esac
}

# ---------------------------------------------------------------- Kamailio, unpacked

# download_kamailio FOLDER: the packages and whatever libraries this machine lacks, with the machine's own lists.
# Nothing is installed; a package that already is comes all the same, since only the unpacked one is used.
download_kamailio() {
    quietly apt-get -y -d -o Dpkg::Use-Pty=0 -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        -o Dir::Cache="$1/cache" --no-install-recommends --reinstall install "${kamailio_packages[@]}"
}

fetch_kamailio() {
    local folder=$1 package
    rm -rf "$folder"
    mkdir -p "$folder/cache/archives/partial" "$folder/root"
    if ! download_kamailio "$folder" 2>/dev/null; then
        say "Kamailio: apt-get update"
        quietly as_root apt-get -o DPkg::Lock::Timeout=120 update || return 1
        download_kamailio "$folder" || return 1
    fi
    for package in "$folder"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -C "$folder/root" -xf - --keep-directory-symlink --no-same-owner || return 1
    done
    rm -rf "$folder/cache"
}

# Lays down what the tests start: `kamailio` (keeps its pid: exec), `modules`, `dbtext` (empty tables), `version`.
describe_kamailio() {
    local folder=$1 root="$1/root" multiarch candidate libraries=''
    multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
    for candidate in "usr/lib/$multiarch/kamailio" usr/lib/kamailio; do
        if [ -e "$root/$candidate/modules/presence.so" ]; then libraries=$candidate; break; fi
    done
    [ -n "$libraries" ] && [ -e "$root/$libraries/modules/tls.so" ] || return 1
    ln -s "root/$libraries/modules" "$folder/modules"
    ln -s root/usr/share/kamailio/dbtext/kamailio "$folder/dbtext"
    cat >"$folder/kamailio" <<WRAPPER
#!/bin/sh
# Starts the unpacked Kamailio with its own libraries and modules; exec keeps the pid.
folder=\$(dirname "\$(readlink -f "\$0")")
root="\$folder/root"
LD_LIBRARY_PATH="\$root/$libraries:\$root/usr/lib/$multiarch:\$root/lib/$multiarch" \\
    exec "\$root/usr/sbin/kamailio" -L "\$folder/modules" "\$@"
WRAPPER
    chmod +x "$folder/kamailio"
    "$folder/kamailio" -v 2>"$peers/setup.log" | sed -n 1p >"$folder/version" || return 1
    [ -s "$folder/version" ] && [ -s "$folder/dbtext/version" ]
}

kamailio_is_cached() {
    [ "$(cat "$peers/kamailio/recipe" 2>/dev/null)" = "$kamailio_recipe" ] &&
        [ "$("$peers/kamailio/kamailio" -v 2>/dev/null | sed -n 1p)" = "$(cat "$peers/kamailio/version" 2>/dev/null)" ]
}

provide_kamailio() {
    if kamailio_is_cached; then say "Kamailio: $(cat "$peers/kamailio/version") cached"; return; fi
    say "Kamailio: fetching it from this machine's package mirror (about 11 MB)"
    fetch_kamailio "$peers/kamailio.new" && describe_kamailio "$peers/kamailio.new" ||
        { rm -rf "$peers/kamailio.new"; fail "no Kamailio could be brought; the tests against a real one can't run"; }
    printf '%s\n' "$kamailio_recipe" >"$peers/kamailio.new/recipe"
    rm -rf "$peers/kamailio"
    mv "$peers/kamailio.new" "$peers/kamailio"
    say "Kamailio: $(cat "$peers/kamailio/version") ready"
}

# ---------------------------------------------------------------- all of it

command -v apt-get >/dev/null || fail "this needs apt (Debian or Ubuntu)"
mkdir -p "$peers"
exec 9>"$peers/setup.lock"
flock -n 9 || { say "waiting for another run"; flock -w 600 9 || fail "another run has held $peers/setup.lock for 10 minutes"; }
case ${1:-} in
'') ;;
--fresh) rm -rf "$peers/asterisk" "$peers/asterisk16" "$peers/kamailio" ;;
*) fail "unknown option '$1' (known: --fresh)" ;;
esac
started=$SECONDS
install_packages
provide_asterisks
provide_kamailio
for program in sipp baresip pulseaudio; do
    command -v "$program" >/dev/null || fail "$program isn't on the PATH although its package is installed"
done
rm -f "$peers/setup.log"
say "done in $((SECONDS - started)) s"
