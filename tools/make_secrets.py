"""Write the secret files that deploy/compose.yaml reads, once: `python3 tools/make_secrets.py deploy/secrets`.

Nothing is overwritten. The folder is closed to others; the files in it can be read by any account, since each is
mounted by itself into containers whose accounts the host does not have. `tokens` has one operator, `admin`. `tls.crt`
and `tls.key` are for localhost and signed by themselves (openssl makes them): put your own in their place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
import sys
from pathlib import Path

_NAMESPACE = r"flexrun\.v1\."
_DATABASE = "postgres:5432/flexrun"


def rabbitmq_definitions(password: str) -> str:
    """One virtual host and one user, who may do what flexrun needs (docs/operations.md) and no more."""
    salt = secrets.token_bytes(4)
    digest = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    user = {
        "name": "flexrun",
        "password_hash": digest,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }
    rights = {
        "user": "flexrun",
        "vhost": "flexrun",
        "configure": f"^{_NAMESPACE}",
        "write": f"^({_NAMESPACE}|amq\\.default$)",
        "read": f"^{_NAMESPACE}",
    }
    return json.dumps({"vhosts": [{"name": "flexrun"}], "users": [user], "permissions": [rights]}, indent=1)


def secret_files() -> dict[str, str]:
    """File name → what is in it."""
    owner, app, read, broker = (secrets.token_urlsafe(24) for _ in range(4))
    return {
        "postgres_password": secrets.token_urlsafe(24),
        "owner_password": owner,
        "app_password": app,
        "read_password": read,
        "owner_url": f"postgresql://flexrun_owner:{owner}@{_DATABASE}",
        "database_url": f"postgresql://flexrun_app:{app}@{_DATABASE}",
        "broker_url": f"amqp://flexrun:{broker}@rabbitmq:5672/flexrun",
        "rabbitmq_definitions.json": rabbitmq_definitions(broker),
        "tokens": f"{secrets.token_urlsafe(32)}=admin:operator",
        "link_secret": secrets.token_hex(32),
    }


def make_certificate(folder: Path) -> None:
    """`tls.crt` and `tls.key`, for a year."""
    names = "subjectAltName=DNS:localhost,DNS:gateway,IP:127.0.0.1"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "tls.key"]
    command = ["openssl", "req", "-x509", *key, "-out", "tls.crt", "-days", "365", "-subj", "/CN=flexrun"]
    subprocess.run([*command, "-addext", names], cwd=folder, check=True, capture_output=True)
    for name in ("tls.crt", "tls.key"):
        (folder / name).chmod(0o444)


def main(folder: Path) -> int:
    """Write what is not there yet; the status to leave with."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = secret_files()
    there = [name for name in (*names, "tls.key") if (folder / name).exists()]
    if there:
        print(f"{folder} has {', '.join(there)} already; nothing was written", file=sys.stderr)
        return 1
    for name, text in names.items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(text + "\n")
        file.chmod(0o444)
    make_certificate(folder)
    print(f"{len(names) + 2} files in {folder}; the operator's token is in {folder / 'tokens'}, before the =")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
