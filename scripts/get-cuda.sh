#!/usr/bin/env bash
# A CUDA 12.4 toolkit that compiles and links, out of Debian's own archive, in a folder of its own: nothing is installed,
# no root is needed, and the folder may be moved. For machines without CUDA; running kernels also takes a GPU's driver.
#
#   scripts/get-cuda.sh [FOLDER]     default: ~/.cache/ingot/cuda-12.4
#
# About 1 GB is downloaded and 280 MB are kept. apt checks every package against the archive's signed lists. What was
# downloaded stays in FOLDER.download until all is done, so that a run that was cut off goes on where it was.
# MIRROR names another Debian archive than the one apt uses here. CUDA is not free software: NVIDIA's licence lets you
# use the toolkit, not pass it on.
set -euo pipefail

folder=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/ingot/cuda-12.4}")
downloads=$folder.download
suite=trixie
packages=('nvidia-cuda-toolkit=12.4.*' 'nvidia-cuda-dev=12.4.*' 'libcudart12=12.4.*' libcu++-dev)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'get-cuda: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

if [[ -x $folder/bin/nvcc && -f $folder/complete ]]; then
    say "$folder is there already"
    exit 0
fi
[[ $(uname -m) == x86_64 ]] || fail "only x86-64 is supported; install a CUDA toolkit by other means"
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || fail "$tool is missing: this needs Debian or Ubuntu; elsewhere install a CUDA toolkit by other means"
done
[[ -f $keyring ]] || fail "$keyring is missing: apt-get install debian-archive-keyring"

# apt with lists and a cache of its own.
mkdir -p "$downloads"/{sources,lists/partial,cache/archives/partial,packages}
downloads=$(cd "$downloads" && pwd)
# shellcheck disable=SC2016 # apt fills this in
found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | sed '/security/d' | sort -u | head -n 1)
mirror=${MIRROR:-${found:-http://deb.debian.org/debian}}
cat >"$downloads/sources/debian.sources" <<END
Types: deb
URIs: $mirror
Suites: $suite
Components: main contrib non-free
Architectures: amd64
Signed-By: $keyring
END
private_apt() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$downloads/sources" \
        -o Dir::State::lists="$downloads/lists" -o Dir::Cache="$downloads/cache" -o APT::Architecture=amd64 \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

say "downloading from $mirror $suite"
log=$downloads/apt.log
if ! { private_apt update && cd "$downloads/packages" && private_apt download "${packages[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    fail "the download failed; run this again to go on with it"
fi
cd "$downloads"

say "unpacking"
unpacked=$downloads/unpacked new=$downloads/new
rm -rf "$unpacked" "$new"
mkdir -p "$unpacked"
# Unpacks a package: all of it, or only what matches the patterns.
unpack() {
    local package=$1
    shift
    dpkg-deb --fsys-tarfile "$(find "$downloads/packages" -name "${package}_*.deb" | sort | tail -n 1)" |
        tar -x -C "$unpacked" --wildcards --no-wildcards-match-slash --exclude=./usr/share "$@"
}
unpack nvidia-cuda-toolkit
unpack libcudart12
unpack libcu++-dev
# 2.5 GB, of which headers, stubs and the static runtime are wanted; the rest is never written.
libraries=./usr/lib/x86_64-linux-gnu
unpack nvidia-cuda-dev ./usr/include "$libraries/*.so" "$libraries/stubs" "$libraries"/libcuda{rt_static,devrt}.a "$libraries/libculibos.a"

# Laid out as NVIDIA's own installer does it, which nvcc and CMake expect.
target=$new/targets/x86_64-linux debian=$unpacked/usr/lib/nvidia-cuda-toolkit
mkdir -p "$new"/{bin/crt,nvvm/{bin,libdevice}} "$target/lib"
mv "$unpacked/usr/include" "$target/include"
ln -s targets/x86_64-linux/include "$new/include"
ln -s targets/x86_64-linux/lib "$new/lib64"
rm -f "$unpacked"/usr/bin/{nvcc,compute-sanitizer} # wrappers of the programs themselves
mv "$unpacked"/usr/bin/* "$debian/bin/nvcc" "$new/bin/"
mv "$debian/bin/cicc" "$new/nvvm/bin/"
mv "$debian"/bin/crt/* "$new/bin/crt/"
mv "$debian"/libdevice/* "$new/nvvm/libdevice/"
mv "$debian/compute-sanitizer" "$new/"
ln -s ../compute-sanitizer/compute-sanitizer "$new/bin/compute-sanitizer"
mv "$unpacked/$libraries"/* "$target/lib/"
find "$target/lib" -xtype l -delete # names of libraries that were left out
ln -sf libcuda.so "$target/lib/stubs/libcuda.so.1"
# Where nvcc finds its parts, relative to itself.
cat >"$new/bin/nvcc.profile" <<'END'
TOP              = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/$(_NVVM_BRANCH_)/libdevice
LD_LIBRARY_PATH += $(TOP)/lib:
PATH            += $(TOP)/$(_NVVM_BRANCH_)/bin:$(_HERE_):
INCLUDES        +=  "-I$(TOP)/$(_TARGET_DIR_)/include" $(_SPACE_)
LIBRARIES        =+ $(_SPACE_) "-L$(TOP)/$(_TARGET_DIR_)/lib$(_TARGET_SIZE_)/stubs" "-L$(TOP)/$(_TARGET_DIR_)/lib$(_TARGET_SIZE_)"
CUDAFE_FLAGS    +=
PTXAS_FLAGS     +=
END
printf '{"cuda":{"name":"CUDA SDK","version":"12.4.1"},"cuda_nvcc":{"name":"CUDA NVCC","version":"12.4.131"}}\n' >"$new/version.json"
"$new/bin/nvcc" --version >"$new/complete"

rm -rf "$folder"
mv "$new" "$folder"
rm -rf "$downloads"
say "$folder: $(du -sm "$folder" | cut -f 1) MB"
