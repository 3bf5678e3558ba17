"""Who is near whom: friends, those who are followed, and, half as near, the friends of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.logs import EdgeTable, ErasedUsers
from recommender.types import Rows, Scores

Codes = npt.NDArray[np.int64]

#: Edge types that say something, and whether they say it both ways; of the others nobody knows what they mean.
_BOTH_WAYS: Final = {"friend": True, "follow": False}
_FRIENDS_OF_FRIENDS: Final = 0.5
#: People of a circle at most, the nearest ones.
_MOST: Final = 100
_BLOCK: Final = 1_024


@dataclass(frozen=True)
class Circles:
    """Of each person who knows somebody in the log, the people near them.

    Args:
        user_ids: Of all who have a circle, whether they have events or not.
        offsets: int64 [n + 1], where each one's circle begins.
        near: int32, rows of the dataset's users, the nearest first.
        weights: float32 > 0, a friend's share of all edges; at most 1.5 over a circle.
    """

    user_ids: list[str]
    offsets: Codes
    near: Rows
    weights: Scores


def telling_edges(edges: EdgeTable, erased: ErasedUsers | None) -> EdgeTable:
    """The edges of known types, of positive weight, between two people of whom neither was erased.

    The report says which types were left out.
    """
    told = np.array([name in _BOTH_WAYS for name in edges.edge_types], np.bool_)
    keep = told[edges.types] & (edges.weights > 0) & (edges.sources != edges.targets)
    if erased is not None:
        gone = erased.mask(edges.ids)
        keep &= ~(gone[edges.sources] | gone[edges.targets])
    others = [name for name, known in zip(edges.edge_types, told.tolist(), strict=True) if not known]
    note = f"edges of type {', '.join(others)} are not used; wanted {' or '.join(_BOTH_WAYS)}"
    report = replace(edges.report, notes=(*edges.report.notes, note)) if others else edges.report
    ends = np.concatenate([edges.sources[keep], edges.targets[keep]])
    # An erased user's id must not even be in a vocabulary.
    codes, new = np.unique(ends, return_inverse=True)
    half = len(ends) // 2
    return replace(
        edges,
        ids=[edges.ids[code] for code in codes.tolist()],
        sources=new[:half].astype(np.int32),
        targets=new[half:].astype(np.int32),
        types=edges.types[keep],
        weights=edges.weights[keep],
        times_ms=edges.times_ms[keep],
        report=report,
    )


def circles_of(edges: EdgeTable, user_ids: Sequence[str], now_ms: int | None) -> Circles:
    """The circles at a moment.

    An edge weighs its share among all of its source's; a friend's friend half the product of the two shares. Where an
    edge is there twice, the heavier one counts.

    Args:
        edges: As `telling_edges` left them.
        user_ids: The dataset's, by row.
        now_ms: Edges that came later are not known yet; None where the log has no times.
    """
    names, sources, targets = _people(edges, user_ids)
    known = np.ones(len(edges), np.bool_) if now_ms is None else edges.times_ms <= now_ms
    both = (
        known & np.array([_BOTH_WAYS.get(name, False) for name in edges.edge_types] or [False], np.bool_)[edges.types]
    )
    own = _shares(
        np.concatenate([sources[known], targets[both]]),
        np.concatenate([targets[known], sources[both]]),
        np.concatenate([edges.weights[known], edges.weights[both]]),
        len(names),
    )
    found = [_reach(own, start, len(user_ids)) for start in range(0, max(len(names), 1), _BLOCK)]
    people, near, weights = (np.concatenate(column) for column in zip(*found, strict=True))
    distinct, starts = np.unique(people, return_index=True)
    return Circles(
        user_ids=[names[person] for person in distinct.tolist()],
        offsets=np.append(starts, len(people)).astype(np.int64),
        near=near.astype(np.int32),
        weights=weights.astype(np.float32),
    )


def _people(edges: EdgeTable, user_ids: Sequence[str]) -> tuple[list[str], Codes, Codes]:
    """Ids of all people, the dataset's users first, the others by falling number of edges; both ends of the edges."""
    row = {user_id: place for place, user_id in enumerate(user_ids)}
    counts = np.bincount(np.concatenate([edges.sources, edges.targets]), minlength=len(edges.ids)).tolist()
    others = [code for code, user_id in enumerate(edges.ids) if user_id not in row]
    others.sort(key=lambda code: (-counts[code], edges.ids[code]))
    for code in others:
        row[edges.ids[code]] = len(row)
    person = np.array([row[user_id] for user_id in edges.ids], np.int64)
    return list(row), person[edges.sources], person[edges.targets]


def _shares(sources: Codes, targets: Codes, weights: npt.NDArray[np.float64], n_people: int) -> sp.csr_matrix:
    """float64 CSR [n_people, n_people]: each one's heaviest edges, over their sum."""
    order = np.lexsort((weights, targets, sources))
    sources, targets, weights = sources[order], targets[order], weights[order]
    last = np.append((np.diff(sources) != 0) | (np.diff(targets) != 0), True)[: len(sources)]
    sources, targets, weights = _heaviest(sources[last], targets[last], weights[last])
    totals = np.maximum(np.bincount(sources, weights, n_people), 1e-300)
    shape = (n_people, n_people)
    return sp.coo_matrix((weights / totals[sources], (sources, targets)), shape=shape).tocsr()


def _reach(own: sp.csr_matrix, start: int, n_users: int) -> tuple[Codes, Codes, npt.NDArray[np.float64]]:
    """The circles of the people from `start` on: who, whom among the dataset's users, how near."""
    block = own[start : start + _BLOCK]
    found = (block + _FRIENDS_OF_FRIENDS * (block @ own)).tocoo()
    people, near = found.row.astype(np.int64) + start, found.col.astype(np.int64)
    kept = (near < n_users) & (near != people)
    return _heaviest(people[kept], near[kept], found.data[kept])


def _heaviest(
    people: Codes, near: Codes, weights: npt.NDArray[np.float64]
) -> tuple[Codes, Codes, npt.NDArray[np.float64]]:
    """By person, the heaviest first; equal ones by place, which is that of whoever did more."""
    order = np.lexsort((near, -weights, people))
    people = people[order]
    kept = np.arange(len(people)) - np.searchsorted(people, people) < _MOST
    return people[kept], near[order][kept], weights[order][kept]
