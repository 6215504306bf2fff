#!/usr/bin/env bash
# All tests, on a fresh machine too: brings the peers, then runs everything. The README's second command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tests/setup.sh
# Real peers measure time: a few tests at once are enough for them and for two cores.
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --no-fail-fast "$@"
else
    cargo test --no-fail-fast "$@"
fi
