#!/usr/bin/env bash
# The demo, on a fresh machine too: brings what the build needs, builds, runs. The README's first command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(build-essential pkg-config cmake libasound2-dev)
missing=()
for name in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "installing ${missing[*]}"
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" apt-get update -q
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
cargo build --release
exec "${CARGO_TARGET_DIR:-target}/release/parkdeck" demo "$@"
