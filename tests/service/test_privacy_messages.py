from __future__ import annotations

from pathlib import Path

import numpy as np

from recommender.bundle import BundleWriter, StringColumn, open_bundle
from recommender.service.privacy_messages import trained_friends
from tests.worlds import write_tiny_bundle


def test_the_people_near_a_user_are_named_where_the_model_knows_them(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "v1")
    assert trained_friends(bundle, "ada") == []
    writer, bob = BundleWriter(bundle.folder), bundle.users.row("bob")
    writer.ids("friends/users", StringColumn.of(["cyd", "ada"]))
    writer.array("friends/offsets", np.array([0, 0, 1], np.int64))
    writer.array("friends/near", np.array([bob], np.int32))
    writer.finish(bundle.manifest)
    bundle = open_bundle(bundle.folder)
    assert [trained_friends(bundle, user) for user in ("ada", "cyd", "bob")] == [["bob"], [], []]
