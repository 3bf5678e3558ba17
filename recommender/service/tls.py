"""Certificates and keys for TLS, tried before anything listens; gRPC itself would say nothing but that it cannot."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path

from recommender.config import ServerSettings
from recommender.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate, with those that vouch for it, and its private key; PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client trusts, and what it shows.

    Args:
        authorities: PEM; None for the public ones.
        pair: Its own, where the server asks.
    """

    authorities: bytes | None
    pair: KeyPair | None


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server shows, and what it asks to see.

    Args:
        pair: Its own.
        client_ca: PEM of the authorities of client certificates; None where clients need none.
    """

    pair: KeyPair
    client_ca: bytes | None


def read_server_tls(settings: ServerSettings) -> ServerTls | None:
    """Certificate, key and client authorities that the settings name; None for plain text.

    Raises:
        ConfigurationError: A file is missing, no fit for another, or out of date; the message tells no key.
    """
    certificate, key, client_ca = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if certificate is None or key is None:
        given = {"server.tls_certificate": certificate, "server.tls_key": key, "server.tls_client_ca": client_ca}
        if not any(given.values()):
            return None
        missing = " and ".join(name for name, path in list(given.items())[:2] if path is None)
        raise ConfigurationError(f"TLS takes a certificate and its key: {missing} is not set")
    pair = read_pair(certificate, key, "server.tls_certificate", "server.tls_key")
    _try_handshake(certificate, key)
    if client_ca is None:
        return ServerTls(pair, None)
    return ServerTls(pair, read_authorities(client_ca, "server.tls_client_ca"))


def read_pair(certificate: Path, key: Path, certificate_name: str, key_name: str) -> KeyPair:
    """A certificate and its key.

    Args:
        certificate: PEM file, the certificate itself first.
        key: PEM file, not encrypted.
        certificate_name: What a message calls the first.
        key_name: And the second.

    Raises:
        ConfigurationError: One cannot be read, or they are not a pair.
    """
    pair = KeyPair(_pem(certificate, certificate_name, b"CERTIFICATE"), _pem(key, key_name, b"PRIVATE KEY"))
    if b"ENCRYPTED" in pair.key:
        raise ConfigurationError(f"{key_name} {key} is encrypted; write it without a passphrase, readable by its owner")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            said = f"{key_name} {key} is not the key of {certificate_name} {certificate}"
            raise ConfigurationError(f"{said}; name the two that were made together") from None
        said = f"{certificate_name} {certificate} and {key_name} {key} cannot be used"
        raise ConfigurationError(f"{said} ({_reason(error)}); make or copy them anew") from None
    return pair


def read_authorities(path: Path, name: str) -> bytes:
    """Certificates of authorities, as PEM.

    Raises:
        ConfigurationError: The file cannot be read, or one of them is out of date.
    """
    data = _pem(path, name, b"CERTIFICATE")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{name} {path} cannot be used ({_reason(error)}); make or copy it anew") from None
    for authority in context.get_ca_certs():
        if ssl.cert_time_to_seconds(str(authority["notAfter"])) < time.time():
            raise ConfigurationError(f"{name} {path} holds a certificate that expired on {authority['notAfter']}")
    return data


def _try_handshake(certificate: Path, key: Path) -> None:
    """Serve and visit in memory: the one way to learn from the standard library whether a certificate is in date."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    visiting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    visiting.check_hostname = False
    visiting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate vouches for itself
    visiting.load_verify_locations(cafile=certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [serving.wrap_bio(there, back, server_side=True), visiting.wrap_bio(back, there)]
    try:
        for end in [ends[1], ends[0]] * 2:
            _shake(end)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"server.tls_certificate {certificate} would be refused by clients ({_reason(error)}); renew it"
        ) from None


def _shake(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return  # the other end's turn


def _pem(path: Path, name: str, label: bytes) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {name} {path}: {error.strerror}") from error
    if label + b"-----" not in data:
        raise ConfigurationError(f"{name} {path} holds no {label.decode().lower()} in PEM")
    return data


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or "not PEM").lower().replace("_", " ")
