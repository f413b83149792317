"""TLS at the gateway itself: certificate and key from files, read again on SIGHUP for connections from then on."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

MAX_FILE_BYTES = 1024 * 1024
_NO_PASSPHRASE = ""
"""Given in the place of one, so that no library asks for one at the terminal of the process."""


class TlsRefused(ValueError):
    """The files make no TLS server; the text says which one and why, and shows nothing of a key."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The certificate, with those between it and its authority behind it; its key; and the authorities of clients."""

    cert: Path
    key: Path
    client_ca: Path | None = None


class ServerTls:
    """What a socket listens with. Raises TlsRefused where the files cannot be used."""

    def __init__(self, files: TlsFiles) -> None:
        self.context = _context(files)
        self._shown = _contents(files)

    def reload(self, files: TlsFiles) -> bool:
        """Have connections from now on see what the files hold now; whether that is something else.

        Raises TlsRefused, and changes nothing then. The authorities of clients stay those that were there at first.
        """
        _context(files)
        shown = _contents(files)
        if shown == self._shown:
            return False
        self.context.load_cert_chain(files.cert, files.key, _NO_PASSPHRASE)
        self._shown = shown
        return True


def not_after(cert: Path) -> datetime:
    """When the first certificate of a file ends. Raises TlsRefused."""
    raw = _read("certificate", cert)
    try:
        return x509.load_pem_x509_certificate(raw).not_valid_after_utc
    except ValueError:
        raise TlsRefused(f"the certificate {cert} is no certificate in PEM form") from None


def _context(files: TlsFiles) -> ssl.SSLContext:
    not_after(files.cert)
    key = _read("key", files.key)
    if b"PRIVATE KEY" not in key:
        raise TlsRefused(f"the key {files.key} is no private key in PEM form")
    if b"ENCRYPTED" in key:
        raise TlsRefused(
            f"the key {files.key} is encrypted, and nobody is there to give a passphrase; keep it without one,"
            " readable by this process alone"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.cert, files.key, _NO_PASSPHRASE)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsRefused(f"the key {files.key} is not that of the certificate {files.cert}") from None
        raise TlsRefused(f"{files.cert} and {files.key} cannot be used: {error.reason}") from None
    _trust_clients(context, files.client_ca)
    return context


def _trust_clients(context: ssl.SSLContext, client_ca: Path | None) -> None:
    if client_ca is None:
        return
    raw = _read("authorities of clients", client_ca)
    try:
        context.load_verify_locations(cadata=raw.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise TlsRefused(f"the authorities of clients {client_ca} are no certificates in PEM form") from None
    # Those without a certificate may have a token.
    context.verify_mode = ssl.CERT_OPTIONAL


def _contents(files: TlsFiles) -> tuple[bytes, bytes]:
    return _read("certificate", files.cert), _read("key", files.key)


def _read(what: str, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TlsRefused(f"the {what} {file} cannot be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise TlsRefused(f"the {what} {file} is larger than {MAX_FILE_BYTES} bytes")
    return raw
