#!/usr/bin/env bash
# Make .venv hold exactly what a lock file says: `tools/setup.sh runtime` or `tools/setup.sh dev`.
# Does nothing, in a few milliseconds, when that is already so. `dev` contains `runtime`.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?runtime or dev}
case $kind in
  runtime) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "setup: expected 'runtime' or 'dev', got '$kind'" >&2; exit 2 ;;
esac

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

# The folder is part of the stamp: a moved checkout has a .venv that points to where it was.
stamp_for() { printf '%s\n%s\n' "$PWD" "$(cksum <"$1")"; }
holds() { [ -x .venv/bin/python ] && [ "$(cat ".venv/.$1" 2>/dev/null)" = "$2" ] && linked; }
# What is imported from the checkout: the engine, and the SDK, which is a distribution of its own.
import_path() { printf '%s\n' "$PWD" "$PWD/sdk/python"; }
linked() { [ "$(cat .venv/lib/python*/site-packages/flexrun-checkout.pth 2>/dev/null)" = "$(import_path)" ]; }

holds dev "$(stamp_for requirements-dev.lock)" && exit 0
holds "$kind" "$(stamp_for "$lock")" && exit 0

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed, and none was found (looked for python3, python3.13, 3.12, 3.11)." \
    "Install one, or name it: make setup PYTHON=/path/to/python3.12"
}

make_venv() {
  local python
  python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make a virtual environment: its venv/ensurepip modules are missing." \
      "On Debian or Ubuntu: apt-get install python3-venv"
  "$python" -m venv --clear .venv
}

# An import path and a launcher are all that an editable install would add, without a build backend.
link_checkout() {
  local site
  site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  import_path >"$site/flexrun-checkout.pth"
  cat >.venv/bin/flexrun <<'LAUNCHER'
#!/bin/sh
# -P: the folder that it is started in may have a schemas.py or a planner.py of its own.
exec "$(dirname "$(readlink -f "$0")")/python" -P -m flexrun "$@"
LAUNCHER
  chmod 755 .venv/bin/flexrun
}

# Scripts inside a .venv carry its path: begin anew when the checkout was moved or its Python has gone.
if ! .venv/bin/python -c 'import pip' 2>/dev/null || [ "$(head -n 1 .venv/.home 2>/dev/null)" != "$PWD" ]; then
  make_venv
  printf '%s\n' "$PWD" >.venv/.home
fi
echo "setup: installing $(grep -c '==' "$lock") packages from $lock into .venv" >&2
rm -f ".venv/.$kind"
# -qq: pip's remarks about configured but empty indexes are not ours to repeat; errors still show.
# --no-deps: the lock is complete, and may hold a version that a package would refuse (overrides in pyproject.toml).
.venv/bin/python -m pip install -qq --no-input --disable-pip-version-check --no-deps --require-hashes -r "$lock" ||
  fail "pip could not install $lock (see above). Is a package index reachable?"
link_checkout
stamp_for "$lock" >".venv/.$kind"
