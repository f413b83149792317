#!/usr/bin/env bash
# Pin pyproject.toml's dependencies for every supported Python and platform, with hashes.
# The lock files name packages only: no index address, so they install from whatever mirror pip is set to.
# Add `--upgrade` (or `--upgrade-package NAME`) to move to newer versions.
set -euo pipefail
cd "$(dirname "$0")/.."

uv_home=$(mktemp -d)
trap 'rm -rf "$uv_home"' EXIT
.venv/bin/python -m venv "$uv_home"
"$uv_home/bin/python" -m pip install -qq --disable-pip-version-check 'uv>=0.7'

compile() {
  "$uv_home/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate pyproject.toml "$@"
}
compile --output-file requirements.lock "$@"
compile --extra dev --constraint requirements.lock --output-file requirements-dev.lock "$@"
