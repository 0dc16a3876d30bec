#!/usr/bin/env bash
# Installs what fk needs on a Debian 12: packages, and the CUDA compiler from
# wheels into build/deps/cuda. Does nothing where all is there already.
#   --cuda-wheels   unpack the wheels even where a CUDA 13 toolkit is installed
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

want_wheels=0
[ "${1:-}" = --cuda-wheels ] && want_wheels=1

missing=()
while read -r package; do
  [[ -z $package || $package == \#* ]] && continue
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done < "$here/debian-packages.txt"
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: ${missing[*]} are missing and neither root nor sudo is here (install them)" >&2; exit 3; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# A toolkit counts when its nvcc is of release 13.
toolkit_nvcc() {
  local candidate
  for candidate in "${CUDA_HOME:-}/bin/nvcc" "${CUDA_PATH:-}/bin/nvcc" "$(command -v nvcc || true)" /usr/local/cuda*/bin/nvcc; do
    [ -x "$candidate" ] && "$candidate" --version | grep -q 'release 13\.' && { echo "$candidate"; return; }
  done
  return 0
}

cuda="$root/build/deps/cuda"
stamp="$cuda/.$(sha256sum "$here/cuda-compiler.txt" | cut -c1-16)"
if [ "$want_wheels" = 1 ] || [ -z "$(toolkit_nvcc)" ]; then
  if [ ! -e "$stamp" ]; then
    echo "fetching the CUDA compiler's wheels into build/deps/cuda"
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
      --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
      -d "$wheels" -r "$here/cuda-compiler.txt"
    rm -rf "$cuda"
    mkdir -p "$cuda"
    for wheel in "$wheels"/*.whl; do
      python3 -m zipfile -e "$wheel" "$cuda"
    done
    # zipfile drops the executable bits.
    chmod +x "$cuda"/nvidia/cu13/bin/* "$cuda"/nvidia/cu13/nvvm/bin/*
    touch "$stamp"
  fi
fi
