#!/usr/bin/env bash
# Write dist/flexrun.cdx.json: the distributions that an installation brings along, with versions and licences, in
# CycloneDX. From requirements.lock, into an environment of its own; the image has its own at /opt/flexrun/sbom.cdx.json.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tool=$(grep -o 'cyclonedx-bom==[0-9.]*' deploy/Dockerfile)
.venv/bin/python -m venv "$scratch/tool"
.venv/bin/python -m venv --without-pip "$scratch/runtime"
pip() { "$scratch/tool/bin/python" -m pip -qq --disable-pip-version-check "$@"; }
pip install "$tool"
pip --python "$scratch/runtime/bin/python" install --no-deps --require-hashes -r requirements.lock
mkdir -p dist
"$scratch/tool/bin/cyclonedx-py" environment --output-reproducible --pyproject pyproject.toml \
  --output-file dist/flexrun.cdx.json "$scratch/runtime/bin/python"
echo "dist/flexrun.cdx.json: $(grep -c '"purl"' dist/flexrun.cdx.json) distributions"
