#!/usr/bin/env bash
# Sets up, builds, trains and tests: see usage below.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/setup.sh
source "$root/scripts/setup.sh"

usage() {
    cat <<'EOF'
usage: ./build.sh COMMAND

  train [OPTION ...]  build what is needed and train a small GPT on the Jargon File;
                      options go to `ingot train`, for example --data DIR --maxSteps 500
  test                build everything and run all tests
  build               build everything

The CUDA backend is built if a CUDA toolkit is found; INGOT_CUDA=ON also fetches one, INGOT_CUDA=OFF does without.
Each installs the Debian packages that are missing when run by root, and otherwise says which.
The .NET 10 SDK has to be there. The built program is ./ingot (try ./ingot --help).
EOF
}

packages=(cmake ninja-build g++ libdnnl-dev libhwy-dev libgtest-dev libbenchmark-dev jargon-text)
native=$root/build/release

# Builds native targets: all, or those named.
build_native() {
    if [[ ! -f $native/build.ninja ]]; then
        say "configuring the native build"
        (cd "$root" && cmake --preset release ${INGOT_CUDA:+"-DINGOT_CUDA=$INGOT_CUDA"}) >&2
    fi
    say "building native code"
    cmake --build "$native" --target "$@" >&2
}

# Files that the managed build reads.
managed_inputs() {
    find "$root" -maxdepth 1 -type f \( -name '*.props' -o -name '*.sln' -o -name global.json -o -name .editorconfig \)
    local folder
    for folder in src tests examples bench; do
        [[ ! -d $root/$folder ]] ||
            find "$root/$folder" \( -name bin -o -name obj \) -prune -o -type f -print
    done
    printf '%s\n' "$native"/lib/libingot.so "$native"/lib/libingot_cuda.so
}

# Builds a project or solution, unless nothing changed since it was last built: even a build with nothing to do takes
# .NET many seconds.
build_managed() {
    local target=$1 stamp inputs
    stamp=$root/build/managed/$(basename "$target").stamp
    inputs=$(managed_inputs | LC_ALL=C sort)
    if [[ -f $stamp && $inputs == "$(cat "$stamp")" ]]; then
        local newer
        newer=$(printf '%s\n' "$inputs" | while IFS= read -r file; do
            if [[ $file -nt $stamp ]]; then printf '%s\n' "$file"; fi
        done)
        [[ -n $newer ]] || return 0
    fi
    say "building managed code"
    mkdir -p "$(dirname "$stamp")"
    local started
    started=$(mktemp "$root/build/managed/started.XXXXXX")
    if ! (cd "$root" && dotnet build "$target" -c Release --disable-build-servers -v quiet </dev/null >&2); then
        rm -f "$started"
        fail "the managed build failed"
    fi
    # The stamp is as old as the build's start: what changed meanwhile counts as new.
    printf '%s\n' "$inputs" >"$stamp"
    touch -r "$started" "$stamp"
    rm -f "$started"
}

# Value of a numeric attribute of the first element of that name in an XML file; 0 if there is none.
xml_attribute() {
    [[ $(<"$1") =~ \<$2[^\>]*[[:space:]]$3=\"([0-9]+)\" ]] && printf '%s' "${BASH_REMATCH[1]}" || printf 0
}

passed=0 failed=0 skipped=0

# $1 is a test run's exit code, $2 its failing tests. A run that failed without one counts as a failure itself.
count_run() {
    if [[ $1 -ne 0 && $2 -eq 0 ]]; then
        failed=$((failed + 1))
    fi
}

test_native() {
    local report=$native/tests.xml status=0 bad=0 total out
    rm -f "$report"
    say "native tests"
    (cd "$root" && ctest --preset release --output-junit "$report") || status=$?
    if [[ -f $report ]]; then
        total=$(xml_attribute "$report" testsuite tests)
        bad=$(xml_attribute "$report" testsuite failures)
        out=$(($(xml_attribute "$report" testsuite skipped) + $(xml_attribute "$report" testsuite disabled)))
        passed=$((passed + total - bad - out)) failed=$((failed + bad)) skipped=$((skipped + out))
    fi
    count_run "$status" "$bad"
}

test_managed() {
    local results=$root/build/managed/test-results status=0 bad=0 report total executed good
    rm -rf "$results"
    say "managed tests"
    (cd "$root" && dotnet test Interop.sln -c Release --no-build --filter TestCategory!=Gpu --logger trx \
        --results-directory "$results" </dev/null) || status=$?
    if [[ -f $native/lib/libingot_cuda_emulated.so ]]; then
        say "managed tests on the emulated GPU"
        (cd "$root" && INGOT_CUDA_MODULE=$native/lib/libingot_cuda_emulated.so \
            INGOT_CUBLASLT=$native/lib/libcublasLt_emulated.so dotnet test tests/Ingot.Tests/Ingot.Tests.csproj -c Release \
            --no-build --filter TestCategory=Gpu --logger trx --results-directory "$results" </dev/null) || status=$?
    fi
    for report in "$results"/*.trx; do
        [[ -f $report ]] || continue
        total=$(xml_attribute "$report" Counters total)
        executed=$(xml_attribute "$report" Counters executed)
        good=$(xml_attribute "$report" Counters passed)
        bad=$((bad + executed - good))
        passed=$((passed + good)) skipped=$((skipped + total - executed))
    done
    failed=$((failed + bad))
    count_run "$status" "$bad"
}

run_tests() {
    test_native
    test_managed
    local summary="$passed passed, $failed failed"
    [[ $skipped -eq 0 ]] || summary="$summary, $skipped skipped"
    printf '%s\n' "$summary"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}

set_up() {
    require_dotnet "$root"
    require_packages "${packages[@]}"
}

command=${1:-}
[[ $# -eq 0 ]] || shift
case $command in
    train)
        set_up
        build_native ingot
        build_managed src/Trainer/Trainer.csproj
        exec "$root/ingot" train "$root/recipes/jargon.json" "$@"
        ;;
    build | test)
        if [[ $# -gt 0 ]]; then
            printf "error: '%s' takes no arguments, but got '%s'\n" "$command" "$1" >&2
            exit 2
        fi
        set_up
        build_native all
        build_managed Interop.sln
        if [[ $command == test ]]; then run_tests; fi
        ;;
    -h | --help | help)
        usage
        ;;
    *)
        [[ -z $command ]] || printf "error: unknown command '%s'\n\n" "$command" >&2
        usage >&2
        exit 2
        ;;
esac
