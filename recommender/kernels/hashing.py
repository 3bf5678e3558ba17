"""64-bit mixing and order-free structural hashes of a bipartite log."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import Rows, Times

_U = np.uint64
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def mix(value: np.uint64) -> np.uint64:
    """A 64-bit finaliser whose every output bit depends on every input bit.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (SplitMix64), OOPSLA 2014.
    """
    value = value + _STEP
    value = (value ^ (value >> _U(30))) * _MULTIPLIER_1
    value = (value ^ (value >> _U(27))) * _MULTIPLIER_2
    return value ^ (value >> _U(31))


@njit(nogil=True, cache=True)
def spread_keys(
    keys: npt.NDArray[np.uint64],
    sources: Rows,
    targets: Rows,
    types: npt.NDArray[np.uint8],
    times_ms: Times,
    n_targets: int,
) -> npt.NDArray[np.uint64]:
    """One round of colour refinement: each target's key is the sum over its events of the mixed source key.

    A sum of mixed keys does not depend on the order of the events nor on any id.

    Args:
        keys: uint64 [n_sources].
        sources: int32 [n], the event's end whose key is read; below 0 is left out.
        targets: int32 [n], the event's end whose key is made; below 0 is left out.
        types: uint8 [n].
        times_ms: int64 [n].
        n_targets: How many keys to return.

    Returns:
        uint64 [n_targets].

    Source: Weisfeiler, Leman, "The reduction of a graph to canonical form", 1968.
    """
    result = np.zeros(n_targets, np.uint64)
    for event in range(len(sources)):
        source, target = sources[event], targets[event]
        if target >= 0:
            fact = mix(_U(types[event]) ^ mix(_U(times_ms[event])))
            key = keys[source] if source >= 0 else _U(0)
            result[target] += mix(key ^ fact)
    return result
