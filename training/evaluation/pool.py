"""Several evaluations as one: users of all cuts together, seeds averaged, so that no claim hangs on one window."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.types import Rows
from training.evaluation.grouping import Grouping
from training.evaluation.metrics import Measured, PerUser
from training.evaluation.pairs import Codes
from training.evaluation.protocol import Cases


@dataclass(frozen=True)
class Outcome:
    """What one cut with one seed gave.

    Args:
        cut: 0 for the newest.
        seed: Of everything that was fitted.
        window_ms: [start, end) of the test part; None for a test file.
        user_ids: Of the cases, in their order.
        item_ids: Of the items, in theirs.
        cases: The cases.
        measured: {model: metrics}.
        target_hits: {model: float64 [n_targets]}, 1 where a target is among the first k of its user's list.
        groupings: Segments of these cases; the same ones for every outcome.
        fit_seconds: {model: seconds}.
    """

    cut: int
    seed: int
    window_ms: tuple[int, int] | None
    user_ids: Sequence[str]
    item_ids: Sequence[str]
    cases: Cases
    measured: Mapping[str, Measured]
    target_hits: Mapping[str, PerUser]
    groupings: Sequence[Grouping]
    fit_seconds: Mapping[str, float]


@dataclass(frozen=True)
class Pool:
    """The cases of all cuts, one behind the other.

    Args:
        owners: int64 [n], the place of each case's user in an order that tells nothing of the users.
        cuts: int64 [n], the cut of each case.
        measured: {model: metrics}; each seed counts alike, and so does each case.
        target_cases: int64 [n_targets], the case of each target.
        target_hits: {model: float64 [n_targets]}.
        groupings: Segments of all cases.
        fit_seconds: {model: mean seconds of a fit}.
        fingerprint: Tells pools of the same users with the same targets, in the same order, from all others.
    """

    owners: Codes
    cuts: Codes
    measured: dict[str, Measured]
    target_cases: Codes
    target_hits: dict[str, PerUser]
    groupings: list[Grouping]
    fit_seconds: dict[str, float]
    fingerprint: str

    @property
    def n_users(self) -> int:
        """Distinct users."""
        return len(np.unique(self.owners))


def pooled(outcomes: Sequence[Outcome]) -> Pool:
    """Outcomes of every cut with every seed as one; those of one cut have the same cases."""
    by_cut: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_cut.setdefault(outcome.cut, []).append(outcome)
    firsts = [same[0] for same in by_cut.values()]
    # By hash: a position says nothing of who a user is, and the same users stand in the same order in every report.
    order = sorted({user_id for first in firsts for user_id in first.user_ids}, key=_hidden)
    place = {user_id: position for position, user_id in enumerate(order)}
    owners = [np.array([place[user_id] for user_id in first.user_ids], np.int64) for first in firsts]
    sizes = np.cumsum([0, *(len(first.cases) for first in firsts)])
    return Pool(
        owners=np.concatenate(owners),
        cuts=np.repeat([first.cut for first in firsts], np.diff(sizes)),
        measured={name: _measured_of(name, list(by_cut.values()), outcomes) for name in outcomes[0].measured},
        target_cases=np.concatenate([
            start + np.repeat(np.arange(len(first.cases)), first.cases.target_counts)
            for start, first in zip(sizes[:-1].tolist(), firsts, strict=True)
        ]),
        target_hits={
            name: np.concatenate([_mean([one.target_hits[name] for one in same]) for same in by_cut.values()])
            for name in outcomes[0].target_hits
        },
        groupings=[joined([first.groupings[place] for first in firsts]) for place in range(len(firsts[0].groupings))],
        fit_seconds={
            name: float(np.mean([outcome.fit_seconds[name] for outcome in outcomes]))
            for name in outcomes[0].fit_seconds
        },
        fingerprint=_fingerprint(firsts),
    )  # fmt: skip


def joined(parts: Sequence[Grouping]) -> Grouping:
    """One grouping of several cuts; labels that a later one has beside stand behind."""
    labels: dict[str, int] = {}
    for part in parts:
        for label in part.labels:
            labels.setdefault(label, len(labels))
    codes = [np.array([labels[label] for label in part.labels], np.int64)[part.codes] for part in parts]
    first = parts[0]
    return Grouping(first.name, first.of, tuple(labels), np.concatenate(codes), first.ordered)


def _measured_of(name: str, cuts: Sequence[Sequence[Outcome]], outcomes: Sequence[Outcome]) -> Measured:
    first = outcomes[0].measured[name]
    per_user = {
        metric: np.concatenate([_mean([one.measured[name].per_user[metric] for one in same]) for same in cuts])
        for metric in first.per_user
    }
    overall = {
        metric: float(np.mean([outcome.measured[name].overall[metric] for outcome in outcomes]))
        for metric in first.overall
        if all(metric in outcome.measured[name].overall for outcome in outcomes)
    }
    return Measured(per_user, overall)


def _mean(columns: Sequence[PerUser]) -> PerUser:
    return columns[0] if len(columns) == 1 else np.asarray(np.mean(columns, axis=0))


def _hidden(user_id: str) -> bytes:
    return hashlib.blake2b(user_id.encode(), digest_size=16).digest()


def _fingerprint(firsts: Sequence[Outcome]) -> str:
    """Hex digits over who is scored on what at each cut, blind to the order of users and items."""
    digest = hashlib.sha256()
    for first in firsts:
        targets = np.split(first.cases.target_items, first.cases.target_offsets[1:-1])
        hashes = [
            _case_hash(user_id, own, first.item_ids) for user_id, own in zip(first.user_ids, targets, strict=True)
        ]
        digest.update(b"cut")
        digest.update(b"".join(sorted(hashes)))
    return digest.hexdigest()[:24]


def _case_hash(user_id: str, targets: Rows, item_ids: Sequence[str]) -> bytes:
    names = sorted(item_ids[item] if item >= 0 else "" for item in targets.tolist())
    return hashlib.blake2b("\x00".join([user_id, *names]).encode(), digest_size=16).digest()
