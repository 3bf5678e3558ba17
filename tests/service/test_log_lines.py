from __future__ import annotations

import json
import logging
import re
import sys

from hypothesis import given
from hypothesis import strategies as st

from recommender.service.log_lines import JsonFormatter, PersonTag


def line_of(record: logging.LogRecord) -> dict[str, object]:
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line: dict[str, object] = json.loads(text)
    return line


def test_a_line_is_one_json_object_with_what_extra_gave() -> None:
    record = logging.makeLogRecord(
        {"name": "a.b", "levelname": "INFO", "msg": "said %s", "args": ("this",), "worker": 3}
    )
    line = line_of(record)
    assert line["message"] == "said this"
    assert (line["level"], line["logger"], line["worker"]) == ("info", "a.b", 3)
    assert str(line["time"]).endswith("+00:00")


def test_a_traceback_stays_within_its_line() -> None:
    try:
        int("two\nlines")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    assert "ValueError: invalid literal" in str(line_of(record)["traceback"])


def test_a_person_has_one_tag_under_one_key_and_another_under_another() -> None:
    tag, other = PersonTag(b"k" * 32), PersonTag(b"o" * 32)
    assert tag.of("ada") == PersonTag(b"k" * 32).of("ada")
    assert len({tag.of("ada"), tag.of("bob"), other.of("ada")}) == 3


@given(
    person=st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=4, max_size=20).filter(str.isalnum),
    around=st.sampled_from(["KeyError: '{}'", "history of {} is odd", 'user_id: "{}", session: "{}"', "{}"]),
)
def test_hiding_leaves_no_id_in_the_text(person: str, around: str) -> None:
    tag = PersonTag(b"k" * 32)
    hidden = tag.hide(around.replace("{}", person), {person, ""})
    assert tag.of(person) in hidden
    assert person not in re.split(r"\W+", hidden)


def test_hiding_finds_ids_as_repr_writes_them_and_spares_other_words() -> None:
    tag = PersonTag(b"k" * 32)
    person = "back\\slash"
    assert tag.hide(f"KeyError: {person!r}", {person}) == f"KeyError: '{tag.of(person)}'"
    assert tag.hide("File data.py in a", {"a"}) == f"File data.py in {tag.of('a')}"
