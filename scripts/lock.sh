#!/bin/sh
# Rebuilds both lock files from pyproject.toml; run it after changing a dependency there.
#
#   scripts/lock.sh               keeps every version that still fits
#   scripts/lock.sh --upgrade     takes the newest versions
#
# One lock serves Python 3.11-3.14 on Linux (x86_64, aarch64) and macOS (--universal), and names no index.
set -eu
cd -- "$(dirname -- "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
trap 'exit 1' INT TERM
python3 -m venv "$tools"
"$tools/bin/python" -m pip install --quiet uv==0.13.8

compile() {
    out=$1
    shift
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        pyproject.toml --output-file "$out" "$@"
    { echo "# Made by scripts/lock.sh from pyproject.toml. Do not edit."; cat "$out"; } >"$tools/lock"
    cp "$tools/lock" "$out"
}

# Tests first: they need the most; the runtime then takes the same versions, so that what was tested is what runs.
compile requirements-test.lock --extra postgres --group test "$@"
compile requirements.lock --extra postgres --extra ses --constraint requirements-test.lock
