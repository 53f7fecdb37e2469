#!/usr/bin/env bash
# Packs what bench/gpu-check.sh needs on a machine that has a GPU, CMake and nvcc, but no .NET SDK and no network: the
# trainer and the C# tests with the .NET runtime, and the C++ libraries that the native build asks for, from this machine
# (Debian 12 or newer). Writes build/gpu-check/pack.tar.xz, to be carried along with the sources.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/setup.sh
source "$root/scripts/setup.sh"
require_dotnet "$root"
most=$((64 << 20))
pack=$root/build/gpu-check
rm -rf "$pack/app" "$pack/deps" "$pack/pack.tar.xz"
mkdir -p "$pack/deps"

# Both into one folder, which then has one runtime. The native library is built over there.
publish() {
    say "publishing $1"
    (cd "$root" && dotnet publish "$1" -c Release -r linux-x64 --self-contained --artifacts-path "$pack/artifacts" -o "$pack/app" \
        -p:DebugType=none -p:SatelliteResourceLanguages=en --disable-build-servers -v quiet "${@:2}" </dev/null)
}
publish tests/Ingot.Tests/Ingot.Tests.csproj -p:IngotTestProgram=true
publish src/Trainer/Trainer.csproj
rm -f "$pack"/app/libingot*.so

say "copying libraries"
dpkg-query -L libdnnl2 libdnnl-dev libhwy1 libhwy-dev libgtest-dev libbenchmark1debian libbenchmark-dev ocl-icd-libopencl1 |
    grep -E '^/usr/(include|lib|src)/' | while IFS= read -r file; do
    if [[ ! -d $file || -L $file ]]; then printf '%s\n' "${file#/usr/}"; fi
done | tar -c -C /usr -T - | tar -x -C "$pack/deps"

say "packing"
tar -c -C "$pack" app deps | xz -T0 -6 >"$pack/pack.tar.xz"
bytes=$(stat -c %s "$pack/pack.tar.xz")
[[ $bytes -le $most ]] || fail "$pack/pack.tar.xz has $bytes bytes, more than the $most that may be carried"
say "$pack/pack.tar.xz: $((bytes >> 20)) MiB"
