from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from recommender.bundle import FORMAT_VERSION, Bundle
from recommender.bundle.manifest import read_manifest
from recommender.errors import BundleError


def rewrite(bundle: Bundle, **changed: Any) -> None:
    """Change fields of the manifest, as a hand with an editor would."""
    path = bundle.folder / "manifest.json"
    payload = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**payload, **changed}), encoding="utf-8")


def refusal(bundle: Bundle) -> str:
    with pytest.raises(BundleError) as caught:
        read_manifest(bundle.folder)
    return str(caught.value)


def test_what_is_written_is_read(bundle: Bundle) -> None:
    assert read_manifest(bundle.folder) == bundle.manifest
    assert bundle.manifest.digest == bundle.manifest.own_digest()


def test_the_text_is_canonical(bundle: Bundle) -> None:
    first = (bundle.folder / "manifest.json").read_bytes()
    bundle.manifest.write(bundle.folder)
    assert (bundle.folder / "manifest.json").read_bytes() == first
    assert first.endswith(b"}\n")
    fields = re.findall(r'^ "(\w+)"', first.decode(), re.MULTILINE)
    assert fields == sorted(fields)


def test_another_time_of_creation_is_the_same_bundle(copied: Bundle) -> None:
    rewrite(copied, created="2031-01-01T00:00:00+00:00")
    assert read_manifest(copied.folder).created == "2031-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"now_ms": 7}, "does not match its digest"),
        ({"sources": {}}, "does not match its digest"),
        ({"digest": ""}, "does not match its digest"),
        ({"mode": "sideways"}, "wrong at mode"),
        ({"counts": {"users": 3}}, "wrong at counts"),
        ({"counts": {"items": -1}}, "wrong at counts"),
        ({"surprise": 1}, "wrong at surprise"),
        ({"format_version": FORMAT_VERSION + 1}, f"has format version {FORMAT_VERSION + 1}, this build reads"),
        ({"format_version": None}, "has format version None"),
    ],
)
def test_a_changed_manifest_is_refused_with_its_reason(copied: Bundle, changed: dict[str, Any], reason: str) -> None:
    rewrite(copied, **changed)
    assert reason in refusal(copied)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe{}", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "has format version None"),
        (b"3", "has format version None"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_reason(copied: Bundle, text: bytes, reason: str) -> None:
    (copied.folder / "manifest.json").write_bytes(text)
    assert reason in refusal(copied)


def test_a_folder_without_a_manifest_is_not_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: cannot read manifest\.json \(No such file or directory\)"):
        read_manifest(tmp_path)
