"""Authorities, and certificates that they sign, in files of a test's own folder."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files."""

    cert: Path
    key: Path

    def copy_to(self, other: Pair) -> None:
        """Have the other files hold what these do."""
        other.cert.write_bytes(self.cert.read_bytes())
        other.key.write_bytes(self.key.read_bytes())


class Authority:
    """Signs certificates; its own is in `file`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._own = self._sign(self._name, self._key.public_key(), is_authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._own.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        days: float = 30,
        passphrase: bytes | None = None,
        also: list[x509.GeneralName] | None = None,
    ) -> Pair:
        """A certificate for 127.0.0.1 and localhost, or for `also` in their place."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = also or [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._sign(subject, key.public_key(), also=names, days=days)
        stem = f"{name}-{made.serial_number % 10**8}"
        pair = Pair(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        pair.cert.write_bytes(made.public_bytes(Encoding.PEM))
        sealed: KeySerializationEncryption = (
            BestAvailableEncryption(passphrase) if passphrase is not None else NoEncryption()
        )
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        return pair

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        """What a client connects with that trusts this authority, and shows that certificate."""
        context = ssl.create_default_context(cafile=self.file)
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        return context

    def _sign(
        self,
        subject: x509.Name,
        public: Any,
        *,
        is_authority: bool = False,
        also: list[x509.GeneralName] | None = None,
        days: float = 30,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if also:
            builder = builder.add_extension(x509.SubjectAlternativeName(also), critical=False)
        return builder.sign(self._key, hashes.SHA256())
