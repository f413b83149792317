#!/usr/bin/env bash
# Write the digests of the images that deploy/ builds on anew, from the registry, for the tags that stand beside them.
# Needs skopeo, or docker with buildx. Look at `git diff`, rebuild, and commit.
set -euo pipefail
cd "$(dirname "$0")/.."

digest_of() {
  if command -v skopeo >/dev/null; then
    skopeo inspect --format '{{.Digest}}' "docker://$1"
  else
    docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"
  fi
}

files=(deploy/Dockerfile deploy/compose.yaml)
grep -hoE '[a-z0-9./_-]+:[a-z0-9._-]+@sha256:[0-9a-f]{64}' "${files[@]}" | sort -u | while read -r pinned; do
  name=${pinned%@*}
  digest=$(digest_of "$name")
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "pin_images: no digest for $name: $digest" >&2; exit 1; }
  sed -i "s|$pinned|$name@$digest|g" "${files[@]}"
  echo "$name@$digest"
done
