from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.state.sqlite import frames
from recommender.types import NEVER

_RECORDS = st.lists(st.binary(max_size=200), max_size=8)


def write(path: Path, records: list[bytes]) -> list[int]:
    """A file of frames behind four bytes; where each begins."""
    offsets, content = [], b"HEAD"
    for n, record in enumerate(records):
        offsets.append(len(content))
        content += frames.pack(record, n, 1_000 + n)[0]
    path.write_bytes(content)
    return offsets


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frames") / "file"


@given(records=_RECORDS)
def test_what_is_written_is_walked_whole_and_in_order(path: Path, records: list[bytes]) -> None:
    offsets = write(path, records)
    found = list(frames.walk(path, 4))
    assert [(frame.record, frame.owner, frame.stamp_ms) for frame in found] == [
        (record, n, 1_000 + n) for n, record in enumerate(records)
    ]
    assert [frame.offset for frame in found] == offsets


@given(records=_RECORDS, cut=st.integers(0, 2_000))
def test_of_a_file_cut_anywhere_the_whole_records_before_the_cut_are_walked(
    path: Path, records: list[bytes], cut: int
) -> None:
    offsets = write(path, records)
    content = path.read_bytes()[: 4 + cut]
    path.write_bytes(content)
    ends = [offset + frames.HEADER.size + len(record) for offset, record in zip(offsets, records, strict=True)]
    whole = [record for record, end in zip(records, ends, strict=True) if end <= len(content)]
    assert [frame.record for frame in frames.walk(path, 4)] == whole


@given(record=st.binary(max_size=100), data=st.data())
def test_a_changed_bit_is_noticed_anywhere_but_in_the_stamp(record: bytes, data: st.DataObject) -> None:
    block = bytearray(frames.pack(record, 77, NEVER)[0])
    stamp = range(frames.STAMP_OFFSET, frames.STAMP_OFFSET + frames.STAMP.size)
    place = data.draw(st.sampled_from([n for n in range(len(block)) if n not in stamp]))
    block[place] ^= 1 << data.draw(st.integers(0, 7))
    assert frames.unpack(bytes(block)) is None


def test_a_record_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller"):
        frames.pack(bytes(frames.MAX_RECORD_BYTES + 1), 0, 0)


def test_a_removed_record_is_zeros_and_its_neighbours_stay(path: Path) -> None:
    ann, bob = frames.owner_hash("ann"), frames.owner_hash("bob")
    blocks = [frames.pack(record, owner, 5)[0] for record, owner in ((b"a1", ann), (b"b1", bob), (b"a2", ann))]
    path.write_bytes(b"HEAD" + b"".join(blocks))
    assert frames.remove_owned(path, 4, frozenset({ann})) == 2
    assert [frame.record for frame in frames.walk(path, 4)] == [b"\0\0", b"b1", b"\0\0"]
    assert frames.remove_owned(path, 4, frozenset({ann})) == 0
    assert frames.owner_hash("") == 0 != ann
