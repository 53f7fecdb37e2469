#!/usr/bin/env bash
# Everything that takes a GPU to be believed, in one run that ends inside 9 minutes: tests on the GPU, also under
# compute-sanitizer, a short training run, the speed of kernels and of whole steps, beside PyTorch's on the same shapes.
#
#   bench/gpu-check-pack.sh      on a machine with the .NET SDK; carry build/gpu-check/pack.tar.xz along with the sources
#   bench/gpu-check.sh [NAME]    on the machine with the GPU, CMake and nvcc; PyTorch is compared with if python3 has it
#
# Writes bench/results/NAME.json and NAME.txt (default: gpu-check-DATE), and copies both to $OUT if that is set.
# Exit code: 0 if all parts passed, 1 if one failed or had no time left, 77 if there is no GPU.
# shellcheck disable=SC2317 # Parts are run by name.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=${1:-gpu-check-$(date -u +%Y-%m-%d)}
seconds=${GPU_CHECK_SECONDS:-530}
work=$root/build/gpu-check
built=$work/build
logs=$work/logs
app=$work/app
gpu_tests='activation attention copy cross_entropy device dropout elementwise embedding matmul norm optimizer reduce rotary sample'
export root work built logs app gpu_tests
rm -rf "$logs"
mkdir -p "$logs"

# Runs a command that may take so many seconds, if so many are left at all; its output goes to a log.
part() {
    local part=$1 most=$2 left status=0 began=$SECONDS result
    shift 2
    left=$((seconds - SECONDS))
    if [[ $left -lt $most ]]; then most=$left; fi
    if [[ $most -lt 5 ]]; then
        status=124
    else
        timeout -k 5 "$most" bash -c '"$@"' part "$@" >"$logs/$part.log" 2>&1 </dev/null || status=$?
    fi
    case $status in
        0) result=passed ;;
        77) result=skipped ;;
        124 | 137) result='out of time' ;;
        *) result=failed ;;
    esac
    printf '%-28s %-12s %4d s\n' "$part" "$result" $((SECONDS - began)) | tee -a "$logs/parts.txt"
    printf '{"part": "%s", "result": "%s", "seconds": %d}\n' "$part" "$result" $((SECONDS - began)) >>"$logs/parts.jsonl"
    [[ $status -eq 0 ]] || tail -n 15 "$logs/$part.log" 2>/dev/null | sed 's/^/    /'
    return "$status"
}

unpack() {
    [[ -f $work/pack.tar.xz ]] || { echo "there is no $work/pack.tar.xz; make it with bench/gpu-check-pack.sh"; return 1; }
    rm -rf "$work/app" "$work/deps"
    tar -xJf "$work/pack.tar.xz" -C "$work"
}

build() {
    local generator=() test targets=()
    for test in $gpu_tests; do targets+=("${test}_test"); done
    if command -v ninja >/dev/null; then generator=(-G Ninja); fi
    cmake -S "$root" -B "$built" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DINGOT_CUDA=ON -DINGOT_CUDA_EMULATED=OFF \
        -DCMAKE_PREFIX_PATH="$work/deps" &&
        cmake --build "$built" -j "$(nproc)" --target ingot ingot_cuda attention_bench matmul_bench "${targets[@]}"
}

# Text that is there on every machine: this repository's own.
training_text() {
    find "$root/docs" "$root/src" "$root/native" \( -name '*.md' -o -name '*.cs' -o -name '*.cpp' -o -name '*.cu' \) -print0 |
        sort -z | xargs -0 cat >"$work/text.txt"
}

train() {
    training_text
    rm -rf "$work/run"
    INGOT_CACHE=$work/cache "$app/Ingot.Trainer" train --model gpt2 --numHiddenLayers 6 --hiddenSize 384 --numAttentionHeads 6 \
        --sequenceLength 256 --tokenizer char --data "$work/text.txt" --perDeviceTrainBatchSize 64 --maxSteps 300 \
        --learningRate 1e-3 --evalSteps 100 --evalIterations 10 --saveSteps 150 --precision bf16 --device cuda \
        --targetLoss 0.01 --samplePrompts "/// <summary>" --outputDir "$work/run" || return
    INGOT_CACHE=$work/cache "$app/Ingot.Trainer" train --resume "$work/run" --maxSteps 320 || return
    # A model that has learnt nothing has about 4.5 nats a character.
    python3 - "$work/run/metrics.jsonl" <<'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print("loss", rows[0]["loss"], "->", rows[-1]["loss"])
sys.exit(rows[-1]["step"] != 320 or not rows[-1]["loss"] < 2.2)
END
}

# memcheck on shapes small enough to be done in seconds.
sanitize() {
    local test status=0
    for test in device elementwise norm cross_entropy embedding reduce; do
        INGOT_TEST_DEVICE=1 compute-sanitizer --tool memcheck --error-exitcode 9 "$built/bin/${test}_test" --gtest_brief=1 || status=1
    done
    INGOT_TEST_DEVICE=1 compute-sanitizer --tool memcheck --error-exitcode 9 "$built/bin/attention_test" --gtest_brief=1 \
        --gtest_filter='*/one_pair_*:*/tiny_*:*/one_more_than_a_tile_*:*/every_mask_*:*/decoding_some_*' || status=1
    return "$status"
}

# Of the kernel that the library chooses, or of another one.
benchmark() {
    local program=$1 filter=$2 kernel=${3-}
    if [[ -n $kernel ]]; then export INGOT_BENCH_KERNEL=$kernel; fi
    INGOT_BENCH_DEVICE=1 "$built/bin/$program" --benchmark_filter="$filter" --benchmark_min_time=0.2 \
        --benchmark_out="$logs/$program${kernel:+.$kernel}.json" --benchmark_out_format=json
}

# One setting of whole steps by Ingot, or by PyTorch.
step() {
    "$app/Ingot.Trainer" bench step --device cuda --precision bf16 --steps 20 --json --preset "$1" --batch "$2" --sequence "$3" |
        tee "$logs/step.$1.ingot.json"
    return "${PIPESTATUS[0]}"
}
torch_step() {
    python3 "$root/bench/pytorch_step.py" --model "$1" --batch "$2" --sequence "$3" --mode "$4" | tee "$logs/step.$1.$4.json"
    return "${PIPESTATUS[0]}"
}

export -f unpack build training_text train sanitize benchmark step torch_step
failed=0
part unpack 60 unpack && part build 300 build || exit 1
export INGOT_LIBRARY=$built/lib LD_LIBRARY_PATH=$work/deps/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
part doctor 30 "$app/Ingot.Trainer" doctor || failed=1
if ! grep -q '^cuda:0' "$logs/doctor.log"; then
    grep -A 1 '^CUDA' "$logs/doctor.log"
    echo "There is no GPU here: nothing was measured."
    exit 77
fi

part gpu_tests 150 ctest --test-dir "$built" -L gpu --output-on-failure || failed=1
part csharp_tests 60 "$app/Ingot.Tests" --filter TestCategory=Gpu || failed=1
part training 60 train || failed=1
if command -v compute-sanitizer >/dev/null; then
    part memcheck 60 sanitize || failed=1
fi
part attention 60 benchmark attention_bench '^attention.*_(causal|full)' || failed=1
part matmul 40 benchmark matmul_bench '_32768' || failed=1

# Both sides of a setting one after the other; what takes longest to compile comes last.
settings=('gpt2-124m 32 1024' 'qwen2-0.5b 16 1024' 'gpt2-1.5b 8 1024')
for setting in "${settings[@]}"; do
    read -r model batch sequence <<<"$setting"
    part "step.$model.ingot" 40 step "$model" "$batch" "$sequence" || failed=1
done
# Beside the kernel for Hopper the one that other GPUs have.
part attention.mma 40 benchmark attention_bench '^attention.*_(causal|full)' flash-mma || failed=1
if python3 -c 'import torch' 2>/dev/null; then
    for mode in eager compile; do
        for setting in "${settings[@]}"; do
            read -r model batch sequence <<<"$setting"
            part "step.$model.$mode" 90 torch_step "$model" "$batch" "$sequence" "$mode" || true # not ours to pass
        done
    done
fi

python3 "$root/bench/gpu-check-report.py" "$logs" "$root/bench/results/$name" "$(git -C "$root" rev-parse --short HEAD 2>/dev/null)" || failed=1
if [[ -n ${OUT:-} ]]; then
    cp "$root/bench/results/$name".{json,txt} "$OUT"/
    tar -cJf "$OUT/logs.tar.xz" -C "$work" logs
fi
exit "$failed"
