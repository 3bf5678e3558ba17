from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from recommender.bundle import Bundle, BundleWriter, StringColumn, open_bundle
from recommender.bundle.write import sha256_of

arrays = nps.arrays(
    st.sampled_from([np.uint8, np.int32, np.int64, np.float32, np.float64, np.bool_]),
    nps.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=5),
)


@settings(max_examples=40)
@given(array=arrays, texts=st.lists(st.text(max_size=9), max_size=9), ids=st.lists(st.text(max_size=9), unique=True))
def test_what_is_written_is_read(bundle: Bundle, array: np.ndarray, texts: list[str], ids: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = BundleWriter(Path(folder) / "v")
        writer.array("some/array", np.asfortranarray(array))
        writer.strings("texts", StringColumn.of(texts))
        writer.ids("items/ids", StringColumn.of(ids))
        counts = {**bundle.manifest.counts, "items": len(ids)}
        writer.finish(bundle.manifest.model_copy(update={"counts": counts}))
        read = open_bundle(Path(folder) / "v")
        found = read.array("some/array")
        assert (found.dtype, found.shape, found.flags.c_contiguous) == (array.dtype, array.shape, True)
        np.testing.assert_array_equal(found, array)
        assert list(read.strings("texts")) == texts
        assert [read.items.row(text) for text in ids] == list(range(len(ids)))
        assert read.items.row("".join(ids) + "?") == -1
        assert read.n_items == len(ids)


def test_mapped_arrays_cannot_be_written(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="read-only"):
        bundle.array("popularity/recent")[0] = 1.0


def test_objects_are_not_data(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"):
        BundleWriter(tmp_path).array("a", np.array([{}], object))


def test_the_manifest_names_every_file_by_its_hash(bundle: Bundle) -> None:
    present = {path.relative_to(bundle.folder).as_posix() for path in bundle.folder.rglob("*") if path.is_file()}
    assert bundle.manifest.files.keys() == present - {"manifest.json"}
    for name, digest in bundle.manifest.files.items():
        assert hashlib.sha256((bundle.folder / name).read_bytes()).hexdigest() == digest


def test_a_manifest_deeper_down_is_a_file_like_any_other(copied: Bundle) -> None:
    (copied.folder / "items" / "manifest.json").write_text("{}", encoding="utf-8")
    assert "items/manifest.json" in BundleWriter(copied.folder).finish(copied.manifest).files


def test_the_same_calls_give_the_same_bytes(tmp_path: Path, bundle: Bundle) -> None:
    def written(name: str) -> dict[str, bytes]:
        writer = BundleWriter(tmp_path / name / "v")
        writer.array("a", np.arange(6, dtype=np.float32).reshape(2, 3))
        writer.ids("b", StringColumn.of(["x", "", "ü"]))
        writer.finish(bundle.manifest)
        return {path.name: path.read_bytes() for path in (tmp_path / name / "v").iterdir()}

    assert written("one") == written("two")


def test_a_long_file_is_hashed_in_chunks(tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes((1 << 21) + 17)
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()
