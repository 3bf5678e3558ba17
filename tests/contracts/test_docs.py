"""Nothing that a user can set or type goes undescribed."""

from __future__ import annotations

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
