from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from recommender.config import ServerSettings
from recommender.errors import ConfigurationError
from recommender.service.tls import read_server_tls
from tests.certificates import EXPIRED, FUTURE, Authority, Pair


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def good(authority: Authority) -> Pair:
    return authority.issue("good")


def refusal(certificate: Path | None, key: Path | None, client_ca: Path | None = None) -> str:
    """The sentence that ends a start with these files; it never holds a line of a key."""
    with pytest.raises(ConfigurationError) as refused:
        read_server_tls(ServerSettings(tls_certificate=certificate, tls_key=key, tls_client_ca=client_ca))
    said = str(refused.value)
    assert "\n" not in said
    if key is not None and key.is_file():
        assert not [line for line in key.read_text(encoding="latin-1").splitlines() if len(line) > 20 and line in said]
    return said


def test_a_pair_that_fits_is_read_as_it_is(good: Pair, authority: Authority) -> None:
    tls = read_server_tls(ServerSettings(tls_certificate=good.certificate, tls_key=good.key))
    assert tls is not None
    assert (tls.pair.certificate, tls.pair.key) == (good.certificate.read_bytes(), good.key.read_bytes())
    assert tls.client_ca is None
    assert "PRIVATE" not in repr(tls)
    settings = ServerSettings(
        tls_certificate=good.certificate, tls_key=good.key, tls_client_ca=authority.pair.certificate
    )
    with_clients = read_server_tls(settings)
    assert with_clients is not None
    assert with_clients.client_ca == authority.pair.certificate.read_bytes()


def test_a_chain_is_read_whole(good: Pair, authority: Authority, tmp_path: Path) -> None:
    chain = tmp_path / "chain.crt"
    chain.write_bytes(good.certificate.read_bytes() + authority.pair.certificate.read_bytes())
    tls = read_server_tls(ServerSettings(tls_certificate=chain, tls_key=good.key))
    assert tls is not None
    assert tls.pair.certificate == chain.read_bytes()


def test_without_files_there_is_no_tls() -> None:
    assert read_server_tls(ServerSettings()) is None


def test_a_half_is_refused(good: Pair) -> None:
    assert "server.tls_key is not set" in refusal(good.certificate, None)
    assert "server.tls_certificate is not set" in refusal(None, good.key)
    assert "server.tls_certificate and server.tls_key is not set" in refusal(None, None, good.certificate)


def test_a_file_that_is_missing_or_no_pem_is_named(good: Pair, tmp_path: Path) -> None:
    missing, text = tmp_path / "missing", tmp_path / "text"
    text.write_text("hello", encoding="ascii")
    assert f"cannot read server.tls_certificate {missing}: No such file" in refusal(missing, good.key)
    assert f"cannot read server.tls_key {missing}: No such file" in refusal(good.certificate, missing)
    assert f"cannot read server.tls_client_ca {missing}" in refusal(good.certificate, good.key, missing)
    assert f"server.tls_certificate {text} holds no certificate in PEM" in refusal(text, good.key)
    assert f"server.tls_key {text} holds no private key in PEM" in refusal(good.certificate, text)
    assert f"server.tls_client_ca {text} holds no certificate" in refusal(good.certificate, good.key, text)
    assert f"server.tls_certificate {good.key} holds no certificate" in refusal(good.key, good.certificate)


def test_a_key_of_another_certificate_is_refused(good: Pair, authority: Authority) -> None:
    said = refusal(good.certificate, authority.issue("other").key)
    assert "is not the key of server.tls_certificate" in said


def test_damaged_pem_is_refused(good: Pair, tmp_path: Path) -> None:
    def damaged(file: Path) -> Path:
        lines = file.read_text(encoding="ascii").splitlines()
        lines[2] = lines[2][::-1]
        (tmp_path / file.name).write_text("\n".join(lines), encoding="ascii")
        return tmp_path / file.name

    assert "cannot be used" in refusal(damaged(good.certificate), good.key)
    assert "cannot be used" in refusal(good.certificate, damaged(good.key))
    assert "cannot be used" in refusal(good.certificate, good.key, damaged(good.certificate))


def test_an_encrypted_key_is_refused_without_asking_for_its_passphrase(good: Pair, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "ec", "-in", str(good.key), "-aes128", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    assert "is encrypted" in refusal(good.certificate, locked)


def test_a_certificate_out_of_date_is_refused(authority: Authority) -> None:
    old = authority.issue("old", EXPIRED)
    assert "would be refused by clients (certificate has expired)" in refusal(old.certificate, old.key)
    early = authority.issue("early", FUTURE)
    assert "would be refused by clients (certificate is not yet valid)" in refusal(early.certificate, early.key)


def test_an_authority_out_of_date_is_refused(good: Pair, tmp_path: Path) -> None:
    old = Authority(tmp_path / "old", EXPIRED)
    said = refusal(good.certificate, good.key, old.pair.certificate)
    assert "holds a certificate that expired on Feb  1 00:00:00 2020" in said
