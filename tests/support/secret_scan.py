"""Looks for secrets in files: what looks like one and is not among those that are known to be none fails `make check`.

`python -m tests.support.secret_scan` scans what git has; `--accept` writes down that all of what is found now is no
secret (an address in the documentation, a password of a test). The list has no values, only their hashes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import get_plugins, transient_settings

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).with_name("no_secrets.json")
_PATTERNS = Path(__file__).with_name("secret_patterns.py")
_GUESSES = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "IPPublicDetector"}
"""Detectors that go by how random a text looks, or by the word beside it: hashes and tests are full of such."""


@dataclass(frozen=True, order=True)
class Finding:
    """A text that looks like a secret. `digest` is its hash; it is never shown itself."""

    file: str
    kind: str
    digest: str
    line: int = 0


def scan(files: Iterable[Path], root: Path) -> list[Finding]:
    """What looks like a secret in these files."""
    names = [each.__name__ for each in get_mapping_from_secret_type_to_class().values()]
    get_mapping_from_secret_type_to_class.cache_clear()  # it would not know a detector that is named only now
    plugins = [{"name": name} for name in names if name not in _GUESSES | {"FlexrunSecret"}]
    # Not `as_uri`: the library cuts `file://` off and reads no escapes, and a folder's name may have a blank.
    own = {"name": "FlexrunSecret", "path": f"file://{_PATTERNS}"}
    found = SecretsCollection()
    with transient_settings({"plugins_used": [*plugins, own]}):
        detectors = list(get_plugins())
        for path in files:
            text = path.read_bytes().decode("utf-8", "replace")
            # A whole text first: line by line takes a hundred times as long, and nearly all files have nothing.
            if any(True for each in detectors for _ in each.analyze_string(text)):
                found.scan_file(str(path))
    return sorted(
        Finding(str(Path(file).relative_to(root)), secret.type, secret.secret_hash, secret.line_number)
        for file, secret in found
    )


def _in_git() -> list[Path]:
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT)
    names = [each for each in listed.decode().split("\0") if each]
    return [path for name in names if (path := ROOT / name).is_file() and path != KNOWN]


def main(arguments: list[str]) -> int:
    """Scan the repository; 1 where something is found that is not known to be no secret."""
    found = scan(_in_git(), ROOT)
    if "--accept" in arguments:
        rows = sorted({(each.file, each.kind, each.digest) for each in found})
        KNOWN.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return 0
    known = {tuple(row[1:]) for row in orjson.loads(KNOWN.read_bytes())}
    new = [each for each in found if (each.kind, each.digest) not in known]
    for each in new:
        sys.stderr.write(f"{each.file}:{each.line}: this looks like a secret ({each.kind})\n")
    if new:
        sys.stderr.write("Is it none? python -m tests.support.secret_scan --accept\n")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
