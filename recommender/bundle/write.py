"""Writing a bundle into a folder: arrays, string columns, indexes, then the manifest that names them all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from recommender.bundle.manifest import MANIFEST_NAME, Manifest, read_manifest
from recommender.bundle.strings import IdIndex, StringColumn
from recommender.retrieval.vectors import VectorIndex

_CHUNK = 1 << 20


class BundleWriter:
    """Fills a folder; the same calls give the same bytes.

    Args:
        folder: Made if missing. What is in it already becomes part of the bundle.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def array(self, name: str, values: npt.NDArray[Any]) -> None:
        """Write one array as `<name>.npy`, C-contiguous; `name` may hold slashes."""
        path = self._path(f"{name}.npy")
        np.save(path, np.ascontiguousarray(values), allow_pickle=False)

    def strings(self, name: str, column: StringColumn) -> None:
        """Write a string column as two arrays."""
        self.array(f"{name}.bytes", column.data)
        self.array(f"{name}.offsets", column.offsets)

    def ids(self, name: str, column: StringColumn) -> None:
        """Write a column of unique ids with its index."""
        self.strings(name, column)
        index = IdIndex.of(column)
        self.array(f"{name}.hashes", index.hashes)
        self.array(f"{name}.rows", index.rows)

    def vectors(self, name: str, index: VectorIndex) -> None:
        """Write a vector index as `<name>.faiss`, with its head beside it where it has one."""
        faiss.write_index(index.tail, str(self._path(f"{name}.faiss")))
        for part in ("tail_rows", "head", "head_rows"):
            values = getattr(index, part)
            if values is not None:
                self.array(f"{name}/{part}", values)

    def finish(self, manifest: Manifest) -> Manifest:
        """Hash every file, write the manifest, and flush all of it to the disk.

        Args:
            manifest: All but `files` and `digest`, which are filled in.

        Returns:
            The manifest as whoever opens the bundle reads it.
        """
        files = {
            path.relative_to(self.folder).as_posix(): sha256_of(path)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path != self.folder / MANIFEST_NAME
        }
        complete = manifest.model_copy(update={"files": files})
        complete.model_copy(update={"digest": complete.own_digest()}).write(self.folder)
        for path in self.folder.rglob("*"):
            _fsync(path)
        _fsync(self.folder)
        return read_manifest(self.folder)

    def _path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
