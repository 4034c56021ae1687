#!/usr/bin/env bash
# Runs every fuzz target from its seeds, for so many seconds each: fuzz/smoke.sh 15
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-15}
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
# cargo-fuzz needs unstable flags of the compiler: a nightly one, or the stable one told to allow them.
if cargo +nightly --version >/dev/null 2>&1; then toolchain=+nightly; else toolchain=; export RUSTC_BOOTSTRAP=1; fi
for target in $(cargo $toolchain fuzz list); do
    mkdir -p "corpus/$target"
    cargo $toolchain fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=0
done
echo "every fuzz target ran $seconds s"
