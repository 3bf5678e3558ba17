"""The wire keeps the promises that the code leans on."""

from __future__ import annotations

import importlib
import re
from enum import IntEnum
from pathlib import Path

import pytest
from google.protobuf.descriptor import EnumDescriptor, FileDescriptor

from recommender import types
from recommender.api.v1 import feed_pb2

ROOT = Path(__file__).parents[2]
STATIC_CARD_FIELDS = ["item_id", "kind", "title", "image_url", "price", "currency", "seller_id"]


def files() -> list[FileDescriptor]:
    stems = sorted(path.stem for path in (ROOT / "protos/recommender/api/v1").glob("*.proto"))
    return [importlib.import_module(f"recommender.api.v1.{stem}_pb2").DESCRIPTOR for stem in stems]


def enums() -> list[EnumDescriptor]:
    return [enum for file in files() for enum in file.enum_types_by_name.values()]


def test_the_static_fields_of_a_card_have_the_lowest_numbers() -> None:
    by_number = sorted(feed_pb2.Card.DESCRIPTOR.fields, key=lambda field: field.number)
    assert [field.name for field in by_number[: len(STATIC_CARD_FIELDS)]] == STATIC_CARD_FIELDS
    assert [field.number for field in by_number] == list(range(1, len(by_number) + 1))


def test_static_and_per_request_bytes_joined_are_the_canonical_card() -> None:
    static = feed_pb2.Card(item_id="a", kind=feed_pb2.KIND_PRODUCT, title="Tea", price=3.5, seller_id="s")
    request = feed_pb2.Card(position=4, score=0.5, sources=["als"], receipt="r")
    whole = feed_pb2.Card()
    whole.MergeFrom(static)
    whole.MergeFrom(request)
    joined = static.SerializeToString(deterministic=True) + request.SerializeToString(deterministic=True)
    assert joined == whole.SerializeToString(deterministic=True)


@pytest.mark.parametrize("enum", enums(), ids=lambda enum: str(enum.name))
def test_zero_is_unspecified_and_values_carry_their_enums_name(enum: EnumDescriptor) -> None:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper()
    assert enum.values_by_number[0].name == f"{prefix}_UNSPECIFIED"
    assert all(value.name.startswith(f"{prefix}_") for value in enum.values)


@pytest.mark.parametrize("ours", [types.Kind, types.Relaxation, types.Degradation, types.ReasonType])
def test_the_values_of_our_enums_equal_the_wires(ours: type[IntEnum]) -> None:
    wire = feed_pb2.DESCRIPTOR.enum_types_by_name[ours.__name__]
    prefix = wire.values_by_number[0].name.removesuffix("UNSPECIFIED")
    expected = {value.name.removeprefix(prefix): value.number for value in wire.values if value.number != 0}
    assert {member.name: member.value for member in ours} == expected
