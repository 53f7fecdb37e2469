#!/usr/bin/env bash
# Whole training steps on this machine, against the rate that the matmul library reaches by itself in the same run.
# Prints a table and writes one JSON file:  bench/steps.sh [bench/results/NAME.json]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:-$root/bench/results/steps-$(date +%Y-%m-%d).json}
mkdir -p "$(dirname "$out")"

rows=()
printf '%-34s %10s %10s %10s %8s %8s %8s\n' setting 'tokens/s' 'ms/step' GFLOP/s share MiB host
run() {
    local name=$1 json
    shift
    json=$("$root/ingot" bench step --json "$@")
    rows+=("$(printf '{"setting": "%s", "result": %s}' "$name" "$json")")
    field() { tr -d '\n' <<<"$json" | sed -E "s/.*\"$1\": *([-0-9.eE+]+).*/\1/"; }
    printf '%-34s %10.0f %10.1f %10.0f %8.3f %8.0f %8.5f\n' "$name" "$(field tokensPerSecond)" "$(field msPerStep)" \
        "$(field gflops)" "$(field share)" "$(field peakMemoryMB)" "$(field hostShare)"
}

run 'gpt2-124m 1x1024 fp32' --preset gpt2-124m --batch 1 --sequence 1024 --precision fp32
run 'gpt2-124m 1x1024 bf16' --preset gpt2-124m --batch 1 --sequence 1024 --precision bf16
run 'nanogpt-cpu 12x64 fp32' --preset nanogpt-cpu --batch 12 --sequence 64 --precision fp32 --steps 200

{
    printf '{\n  "machine": "%s, %s cores",\n' "$(sed -nE 's/^model name[^:]*: //p' /proc/cpuinfo | sed -n 1p)" "$(nproc)"
    printf '  "date": "%s",\n  "commit": "%s",\n  "rows": [\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
        "$(git -C "$root" rev-parse --short HEAD)"
    printf '%s' "${rows[0]}"
    printf ',\n%s' "${rows[@]:1}"
    printf '\n  ]\n}\n'
} >"$out"
printf 'written to %s\n' "$out"
