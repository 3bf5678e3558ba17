from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.hashing import mix, spread_keys

MASK = (1 << 64) - 1
U64 = st.integers(0, MASK)

Fact = tuple[int, int, int, int]
facts = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(-1, 4), st.integers(0, 255), st.integers(-(2**63), 2**63 - 1)),
    max_size=30,
)


def plain_mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def spread(keys: list[int], found: list[Fact]) -> list[int]:
    columns: Any = list(zip(*found, strict=True)) if found else [[], [], [], []]
    sources, targets, types, times = columns
    spread_out = spread_keys(
        np.array(keys, np.uint64),
        np.array(sources, np.int32),
        np.array(targets, np.int32),
        np.array(types, np.uint8),
        np.array(times, np.int64),
        5,
    )
    return [int(key) for key in spread_out]


def test_mixing_gives_the_published_first_numbers_of_splitmix64() -> None:
    assert int(mix(np.uint64(0))) == 0xE220A8397B1DCDAF
    assert int(mix(np.uint64(0x9E3779B97F4A7C15))) == 0x6E789E6AA1B965F4


@given(U64)
def test_mixing_is_its_plain_definition(value: int) -> None:
    assert int(mix(np.uint64(value))) == plain_mix(value)


@given(st.lists(U64, min_size=4, max_size=4), facts)
def test_a_key_is_the_sum_of_the_mixed_facts_about_it(keys: list[int], found: list[Fact]) -> None:
    wanted = [0] * 5
    for source, target, kind, time_ms in found:
        if target >= 0:
            fact = plain_mix(kind ^ plain_mix(time_ms & MASK))
            wanted[target] = (wanted[target] + plain_mix((keys[source] if source >= 0 else 0) ^ fact)) & MASK
    assert spread(keys, found) == wanted


@given(st.lists(U64, min_size=4, max_size=4), facts, st.randoms(use_true_random=False))
def test_neither_order_nor_numbering_changes_a_key(keys: list[int], found: list[Fact], draw: random.Random) -> None:
    order = draw.sample(range(4), 4)
    renamed = [(order.index(source) if source >= 0 else -1, *rest) for source, *rest in found]
    shuffled = draw.sample(renamed, len(renamed))
    assert spread([keys[old] for old in order], shuffled) == spread(keys, found)  # type: ignore[arg-type]
