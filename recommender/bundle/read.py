"""Opening a bundle: verified once, memory-mapped, immutable."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from recommender.bundle.manifest import MANIFEST_NAME, Manifest, read_manifest
from recommender.bundle.strings import IdIndex, StringColumn
from recommender.bundle.write import sha256_of
from recommender.errors import BundleError
from recommender.retrieval.vectors import VectorIndex
from recommender.types import EVENT_TYPES, UNKNOWN_EVENT_TYPE, History, Rows, Scores

CURRENT_NAME = "current"


class Bundle:
    """One version of the models, opened for reading; every array is a read-only map of its file."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    @property
    def version(self) -> str:
        """The version's name, which is its folder's."""
        return self.manifest.version

    @property
    def n_items(self) -> int:
        """How many item rows there are."""
        return self.manifest.counts["items"]

    def has(self, name: str) -> bool:
        """Whether the bundle holds an array of that name."""
        return f"{name}.npy" in self.manifest.files

    def array(self, name: str) -> npt.NDArray[Any]:
        """The array of that name, mapped on first use and shared afterwards.

        Raises:
            BundleError: There is none, or its file cannot be mapped.
        """
        found = self._arrays.get(name)
        if found is None:
            if not self.has(name):
                raise BundleError(f"bundle {self.folder} holds no {name}.npy, which this build needs: train it again")
            try:
                mapped = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise BundleError(f"bundle {self.folder} is damaged: cannot map {name}.npy ({error})") from error
            # A plain view: numpy.memmap costs microseconds at every slice.
            found = self._arrays[name] = mapped.view(np.ndarray)
        return found

    def strings(self, name: str) -> StringColumn:
        """The string column of that name.

        Raises:
            BundleError: There is none.
        """
        return StringColumn(self.array(f"{name}.bytes"), self.array(f"{name}.offsets"))

    def ids(self, name: str) -> IdIndex:
        """The id column of that name with its index.

        Raises:
            BundleError: There is none.
        """
        return IdIndex(self.strings(name), self.array(f"{name}.hashes"), self.array(f"{name}.rows"))

    def vectors(self, name: str, probes: int) -> VectorIndex:
        """The vector index of that name, memory-mapped, probing so many lists (0: exact).

        Raises:
            BundleError: There is none, or it cannot be opened.
        """
        path = self.folder / f"{name}.faiss"
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise BundleError(f"bundle {self.folder} is damaged: cannot open {path.name}") from error
        if not self.has(f"{name}/head"):
            return VectorIndex(index, probes=probes)
        head, head_rows = self.array(f"{name}/head"), self.array(f"{name}/head_rows")
        return VectorIndex(index, self.array(f"{name}/tail_rows"), head, head_rows, probes)

    @cached_property
    def items(self) -> IdIndex:
        """Item ids by row."""
        return self.ids("items/ids")

    @cached_property
    def users(self) -> IdIndex:
        """Ids of the users whose histories the bundle carries."""
        return self.ids("histories/users")

    @cached_property
    def tie_ranks(self) -> Rows:
        """int32 [n_items], each row's place in the order of popularity: by this ties break, never by row or id."""
        order = self.array("popularity/order")
        ranks = np.empty(len(order), np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        return ranks

    @cached_property
    def event_type_codes(self) -> dict[str, int]:
        """Code of each event type by name, as used in histories."""
        return {name: min(code, UNKNOWN_EVENT_TYPE) for code, name in enumerate(self.manifest.event_types)}

    @cached_property
    def type_weights(self) -> Scores:
        """float32 [256], the weight of each event type by code; the code that unknown types share weighs 0."""
        weights = np.zeros(256, np.float32)
        for code, name in enumerate(self.manifest.event_types[:UNKNOWN_EVENT_TYPE]):
            weights[code] = self.manifest.event_weights.get(name, 0.0)
        return weights

    def history(self, user_id: str) -> History:
        """The user's newest events of the training log, oldest first; empty for an unknown user."""
        user = self._user(user_id)
        if user < 0:
            return History.empty()
        start, stop = self.array("histories/offsets")[user : user + 2]
        return History(
            self.array("histories/rows")[start:stop],
            self.array("histories/types")[start:stop],
            self.array("histories/times")[start:stop],
        )

    def hidden_rows(self, user_id: str) -> Rows:
        """The items that the user hid in the training log, however long ago; ascending."""
        user = self._user(user_id)
        if user < 0 or not self.has("hides/rows"):  # bundles before 0.2 know the hides of their histories alone
            return np.empty(0, np.int32)
        start, stop = self.array("hides/offsets")[user : user + 2]
        return self.array("hides/rows")[start:stop]

    def _user(self, user_id: str) -> int:
        return self.users.row(user_id) if user_id else -1


def open_bundle(folder: Path, *, verify: bool = True) -> Bundle:
    """Open a bundle folder.

    Args:
        folder: The version's folder.
        verify: Check the SHA-256 of every file; leave out only where another process just did.

    Raises:
        BundleError: It is not a bundle, damaged, or of another format version.
    """
    manifest = read_manifest(folder)
    if manifest.event_types[: len(EVENT_TYPES)] != list(EVENT_TYPES):
        raise BundleError(f"bundle {folder} is foreign: its event types are not this build's")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if missing := sorted(manifest.files.keys() - present):
        raise BundleError(f"bundle {folder} is damaged: {missing[0]} is missing ({len(missing)} in all)")
    if verify:
        for name, expected in manifest.files.items():
            if _sha256_in(folder, name) != expected:
                raise BundleError(f"bundle {folder} is damaged: {name} does not match its SHA-256")
    return Bundle(folder, manifest)


def _sha256_in(folder: Path, name: str) -> str:
    try:
        return sha256_of(folder / name)
    except OSError as error:
        raise BundleError(f"bundle {folder} cannot be verified: {name}: {error.strerror}") from error


def list_versions(models: Path) -> list[str]:
    """Names of the versions in a models folder, oldest first; folders beginning with a dot are not versions."""
    if not models.is_dir():
        return []
    return sorted(
        path.name for path in models.iterdir() if not path.name.startswith(".") and (path / MANIFEST_NAME).is_file()
    )


def current_version(models: Path) -> str | None:
    """The name of the live version, None where nothing was published yet.

    Raises:
        BundleError: `current` cannot be read, or names a version that is not there.
    """
    path = models / CURRENT_NAME
    try:
        name = path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    if name not in list_versions(models):
        raise BundleError(
            f"{path} names {name!r}, which is not a version in {models}; "
            "write the name of one that `windowshop models list` shows into it"
        )
    return name
