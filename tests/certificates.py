"""Certificates for tests, made by the openssl command where the machine has it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

VALID: Final = ("20200101000000Z", "20991231000000Z")
EXPIRED: Final = ("20200101000000Z", "20200201000000Z")
FUTURE: Final = ("20980101000000Z", "20991231000000Z")
_CONFIGURATION = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for 127.0.0.1 and localhost.

    Args:
        folder: Kept files; made if missing.
        valid: From when to when its own certificate holds.
    """

    def __init__(self, folder: Path, valid: tuple[str, str] = VALID) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl command to make certificates with")
        folder.mkdir(parents=True)
        self._folder = folder
        (folder / "ca.cnf").write_text(_CONFIGURATION.format(folder=folder), encoding="ascii")
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n", encoding="ascii")
        self.pair = self._make("authority", "basicConstraints=critical,CA:TRUE", valid, "-selfsign")

    def issue(self, name: str, valid: tuple[str, str] = VALID) -> Pair:
        """A certificate and its key, for servers and clients alike."""
        authority = ("-cert", str(self.pair.certificate))
        return self._make(name, "subjectAltName=IP:127.0.0.1,DNS:localhost", valid, *authority)

    def _make(self, name: str, extension: str, valid: tuple[str, str], *by: str) -> Pair:
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(extension, encoding="ascii")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        _openssl("req", "-new", *curve, "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        key = pair.key if "-selfsign" in by else self.pair.key
        dates = ("-startdate", valid[0], "-enddate", valid[1])
        signed = ("-batch", "-notext", "-config", self._folder / "ca.cnf", "-keyfile", key, *by, *dates)
        _openssl("ca", *signed, "-extfile", extensions, "-in", request, "-out", pair.certificate)
        return pair


def _openssl(*arguments: object) -> None:
    outcome = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
