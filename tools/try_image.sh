#!/usr/bin/env bash
# Build deploy/Dockerfile without a container engine and run the demo in it, as root on Debian: with buildah in a chroot,
# on a base made of Debian's packages in place of the pinned one (no registry is asked). The demo runs as the account of
# the image, on its file system read-only, without capabilities and without a network.
set -euo pipefail
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

apt-get -qq -y install --no-install-recommends buildah mmdebstrap bubblewrap >/dev/null
scratch=$(mktemp -d)
containers=()
trap '[ ${#containers[@]} = 0 ] || buildah rm "${containers[@]}" >/dev/null; rm -rf "$scratch"' EXIT

if ! buildah inspect --type image localhost/flexrun-base >/dev/null 2>&1; then
  mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,python-is-python3,ca-certificates \
    bookworm "$scratch/base.tar"
  base=$(buildah from scratch)
  buildah add -q "$base" "$scratch/base.tar" / >/dev/null
  buildah config --env PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin "$base"
  buildah commit -q --rm "$base" localhost/flexrun-base >/dev/null
fi
# This machine's certificates, for a package index behind an authority of its own.
buildah build --network host --volume /etc/ssl/certs:/etc/ssl/certs:ro \
  --build-arg BASE=localhost/flexrun-base -f deploy/Dockerfile -t localhost/flexrun:trial .

containers+=("$(buildah from localhost/flexrun:trial)")
root=$(buildah mount "${containers[0]}")
install -d -o 10001 -g 10001 -m 0700 "$scratch/data"
chmod 0755 "$scratch"
bwrap --ro-bind "$root" / --proc /proc --dev /dev --perms 1777 --tmpfs /tmp \
  --bind "$scratch/data" /var/lib/flexrun --unshare-net --clearenv --setenv PATH /opt/flexrun/bin:/usr/bin:/bin -- \
  setpriv --reuid=10001 --regid=10001 --clear-groups --bounding-set=-all --no-new-privs --inh-caps=-all \
  flexrun demo
