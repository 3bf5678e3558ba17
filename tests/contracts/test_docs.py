"""Nothing that a user can set or type goes undescribed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contracts.settings_table import sections, table, written_table


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section, model in sections().items() for key in model.model_fields]
)
def test_a_setting_says_what_it_means(section: str, key: str) -> None:
    description = sections()[section].model_fields[key].description
    assert description, f"{section}.{key} has no description; give its Field one"
    assert description.endswith(".")


def test_the_readme_lists_every_setting_as_it_is() -> None:
    assert written_table() == table(), "recommender/README.md lags behind recommender/config.py; run: make docs"


def test_make_help_lists_every_command_that_is_not_a_part_of_check() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^([a-z-]+):(?!=)(.*)$", makefile, flags=re.MULTILINE))
    documented = {name for name, rule in rules.items() if "## " in rule}
    parts_of_check = set(rules["check"].partition("##")[0].split())
    assert rules.keys() - documented == parts_of_check
    assert {"help", "demo", "test", "check", "protos", "bench", "lock"} <= documented
