from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import Bundle, BundleWriter, current_version, list_versions, open_bundle
from recommender.errors import BundleError
from recommender.types import DAY_MS, EVENT_TYPE_CODE, EVENT_TYPES
from tests.worlds import NOW_MS, tiny_items, tiny_users, write_tiny_models


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(folder)
    return str(caught.value)


def flip_a_byte(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x01
    path.write_bytes(content)


def test_one_flipped_byte_in_any_file_refuses_the_bundle(copied: Bundle) -> None:
    for name in copied.manifest.files:
        path = copied.folder / name
        whole = path.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            flip_a_byte(path, at)
            assert f"{name} does not match its SHA-256" in refusal(copied.folder)
            path.write_bytes(whole)
    assert open_bundle(copied.folder).manifest == copied.manifest


def test_one_flipped_byte_anywhere_in_the_manifest_refuses_the_bundle(copied: Bundle) -> None:
    path = copied.folder / "manifest.json"
    whole = path.read_bytes()
    start = whole.index(b'"created"') + len(b'"created": "')
    exempt = range(start, start + len(copied.manifest.created))
    for at in range(0, len(whole), 23):
        if at not in exempt:
            flip_a_byte(path, at)
            assert str(copied.folder) in refusal(copied.folder), whole[at - 20 : at + 20]
            path.write_bytes(whole)


def test_a_missing_file_refuses_the_bundle(copied: Bundle) -> None:
    for name in copied.manifest.files:
        path = copied.folder / name
        aside = path.rename(path.with_name("aside"))
        assert f"{name} is missing (1 in all)" in refusal(copied.folder)
        aside.rename(path)


def test_a_truncated_file_refuses_the_bundle(copied: Bundle) -> None:
    path = copied.folder / "als.faiss"
    path.write_bytes(path.read_bytes()[:-1])
    assert "als.faiss does not match its SHA-256" in refusal(copied.folder)


def test_a_file_that_cannot_be_read_refuses_the_bundle(copied: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("recommender.bundle.read.sha256_of", fails)
    assert "cannot be verified" in refusal(copied.folder)
    assert "Permission denied" in refusal(copied.folder)


def test_a_bundle_of_other_event_types_is_foreign(copied: Bundle) -> None:
    names = ["peek", *EVENT_TYPES[1:]]
    BundleWriter(copied.folder).finish(copied.manifest.model_copy(update={"event_types": names}))
    assert "is foreign: its event types are not this build's" in refusal(copied.folder)


def test_without_verification_damage_is_told_where_it_is_met(copied: Bundle) -> None:
    (copied.folder / "als.faiss").write_bytes(b"no index")
    (copied.folder / "popularity" / "recent.npy").write_bytes(b"no array")
    opened = open_bundle(copied.folder, verify=False)
    with pytest.raises(BundleError, match=r"cannot open als\.faiss"):
        opened.vectors("als", 0)
    with pytest.raises(BundleError, match=r"cannot map popularity/recent\.npy"):
        opened.array("popularity/recent")


def test_what_the_manifest_does_not_name_is_not_in_the_bundle(copied: Bundle) -> None:
    shutil.copy(copied.folder / "als" / "gram.npy", copied.folder / "stray.npy")
    opened = open_bundle(copied.folder)
    assert not opened.has("stray")
    with pytest.raises(BundleError, match=r"holds no stray\.npy, which this build needs: train it again"):
        opened.array("stray")
    with pytest.raises(BundleError, match=r"holds no x\.bytes\.npy"):
        opened.strings("x")


def test_an_array_is_mapped_once(bundle: Bundle) -> None:
    assert bundle.array("als/factors") is bundle.array("als/factors")
    assert bundle.has("als/factors")
    assert not bundle.has("als.faiss")


def test_items_are_found_by_id(bundle: Bundle) -> None:
    ids = [item.item_id for item in tiny_items()]
    assert bundle.n_items == len(ids)
    assert bundle.items.rows_of(["item-spade", "nothing", ids[0]]).tolist() == [ids.index("item-spade"), -1, 0]
    assert list(bundle.items.ids) == ids


def test_a_user_s_history_is_what_the_log_held(bundle: Bundle) -> None:
    ids = [item.item_id for item in tiny_items()]
    for user_id, touches in tiny_users().items():
        history = bundle.history(user_id)
        columns = (history.item_rows, history.event_types, history.times_ms)
        found = list(zip(*(column.tolist() for column in columns), strict=True))
        assert found == [(ids.index(item_id), EVENT_TYPE_CODE[kind], time_ms) for item_id, kind, time_ms in touches]


@pytest.mark.parametrize("user_id", ["", "stranger", "ada "])
def test_a_stranger_has_no_history(bundle: Bundle, user_id: str) -> None:
    assert len(bundle.history(user_id)) == 0


def test_ranks_of_ties_are_places_in_the_popularity_order(bundle: Bundle) -> None:
    order = bundle.array("popularity/order")
    assert bundle.tie_ranks[order].tolist() == list(range(bundle.n_items))


def test_event_types_beyond_a_byte_share_a_code_that_weighs_nothing(copied: Bundle) -> None:
    names = [*EVENT_TYPES, *(f"kind-{at}" for at in range(300))]
    weights = dict.fromkeys(names, 2.0)
    update = {"event_types": names, "event_weights": weights}
    manifest = BundleWriter(copied.folder).finish(copied.manifest.model_copy(update=update))
    opened = Bundle(copied.folder, manifest)
    assert opened.event_type_codes["view"] == 0
    assert opened.event_type_codes["kind-242"] == 254
    assert opened.event_type_codes["kind-243"] == opened.event_type_codes["kind-299"] == 255
    assert opened.type_weights[:255].tolist() == [2.0] * 255
    assert opened.type_weights[255] == 0.0


def test_weights_of_event_types_are_the_manifest_s(bundle: Bundle) -> None:
    weights = {name: float(bundle.type_weights[code]) for name, code in EVENT_TYPE_CODE.items()}
    assert weights == bundle.manifest.event_weights
    assert not bundle.type_weights[len(EVENT_TYPES) :].any()


def test_versions_are_the_folders_that_hold_a_manifest(tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert list_versions(models) == []
    assert current_version(models) is None
    write_tiny_models(models, "20250602T000000Z-b")
    write_tiny_models(models, "20250601T000000Z-a", now_ms=NOW_MS - DAY_MS)
    (models / "empty").mkdir()
    shutil.copytree(models / "20250601T000000Z-a", models / ".removed-20250601T000000Z-a")
    assert list_versions(models) == ["20250601T000000Z-a", "20250602T000000Z-b"]
    assert current_version(models) == "20250601T000000Z-a"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"20250601T000000Z-gone",
        b"..",
        b".",
        b"v/../v",
        b".hidden",
        b"\xff\xfe",
        b"a\x00b",
        b"v\nv",
        b"x" * 5_000,
    ],
)
def test_a_pointer_to_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    models = tmp_path / "models"
    write_tiny_models(models, "v")
    shutil.copytree(models / "v", models / ".hidden")
    (models / "current").write_bytes(content)
    with pytest.raises(BundleError, match="which is not a version in"):
        current_version(models)


def test_a_pointer_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    with pytest.raises(BundleError, match=r"cannot read .*current: Is a directory"):
        current_version(tmp_path)


def test_arrays_of_a_bundle_can_be_indexed_like_any(bundle: Bundle) -> None:
    assert type(bundle.array("als/factors")) is np.ndarray
