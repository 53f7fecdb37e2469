# shellcheck shell=bash
# Functions for bash scripts that need this machine to have something: sourced, not run.

# Says what is going on.
say() {
    printf '== %s\n' "$*" >&2
}

# Ends with an error.
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Prints those of the Debian packages named that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' || printf '%s\n' "$package"
    done
}

# Runs apt-get; what it says is shown only if it fails.
apt_quietly() {
    local log status=0
    log=$(mktemp)
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1 || status=$?
    [[ $status -eq 0 ]] || cat "$log" >&2
    rm -f "$log"
    return "$status"
}

apt_install() {
    apt_quietly install -y --no-install-recommends "$@"
}

# Installs Debian packages that are missing, without asking, if this is root; otherwise says how. On a system without
# apt the build itself says what it does not find.
require_packages() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || return 0
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $(id -u) -ne 0 ]]; then
        fail "these packages are missing; install them and run this again:
  sudo apt-get install ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    # The package lists of a fresh machine may be absent or old.
    apt_install "${missing[@]}" 2>/dev/null ||
        { apt_quietly update && apt_install "${missing[@]}"; } ||
        fail "apt-get could not install ${missing[*]}"
}

# Finds the .NET SDK that global.json asks for, also where the install script puts it. $1 is the repository's root.
require_dotnet() {
    if ! command -v dotnet >/dev/null && [[ -x $HOME/.dotnet/dotnet ]]; then
        export PATH="$HOME/.dotnet:$PATH" DOTNET_ROOT="$HOME/.dotnet"
    fi
    local how="Install the .NET 10 SDK (https://dotnet.microsoft.com/download/dotnet/10.0), for example with
  curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0
and run this again."
    command -v dotnet >/dev/null || fail "the .NET SDK was not found. $how"
    (cd "$1" && dotnet --version >/dev/null 2>&1) ||
        fail "no .NET 10 SDK was found; dotnet has: $(dotnet --list-sdks | tr '\n' ' '). $how"
    export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
}
