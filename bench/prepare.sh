#!/usr/bin/env bash
# How fast `ingot data prepare` is with its default rules, and how much memory it takes, on made-up text like that of the web.
#   bench/prepare.sh [MEGABYTES [FOLDER]]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
size=${1:-200}
folder=${2:-$(mktemp -d)}
text=/usr/share/doc/jargon-text/jargon.txt.gz
[[ -f $text ]] || { printf 'error: %s is absent; the Debian package jargon-text has it\n' "$text" >&2; exit 1; }

data=$folder/pages-$size.jsonl
mkdir -p "$folder"
[[ -f $data ]] || { python3 "$root/bench/prepare-data.py" "$size" "$text" >"$data.partial" && mv "$data.partial" "$data"; }
"$root/ingot" data prepare "$data" --output "$folder/prepared" --overwriteOutput &
job=$!
peak=0
while kill -0 "$job" 2>/dev/null; do
    now=$(sed -nE 's/^VmHWM:[^0-9]*([0-9]+).*/\1/p' "/proc/$job/status" 2>/dev/null || true)
    [[ -z $now ]] || peak=$now
    sleep 0.2
done
wait "$job"
printf 'peak memory: %d MiB; machine: %s, %s cores\n' $((peak / 1024)) \
    "$(sed -nE 's/^model name[^:]*: //p' /proc/cpuinfo | sed -n 1p)" "$(nproc)"
rm -rf "$folder/prepared"
[[ $# -ge 2 ]] || rm -rf "$folder"
