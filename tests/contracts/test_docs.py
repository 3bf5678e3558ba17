"""Nothing that a user can set or type goes undescribed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import typer

from recommender import cli
from tests.contracts.settings_table import sections, table, written_table

ROOT = Path(__file__).parents[2]
OF_TRAINING = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"][
    "windowshop.commands"
]


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """A command and all below it, each with what is typed for it."""
    yield path, command
    for name, subcommand in getattr(command, "commands", {}).items():
        yield from commands(subcommand, f"{path} {name}")


def check_help(path: str, command: Any) -> None:
    assert command.help, f"{path} does not say what it does"
    undescribed = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert not undescribed, f"{path}: no help for {undescribed}"


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section, model in sections().items() for key in model.model_fields]
)
def test_a_setting_says_what_it_means(section: str, key: str) -> None:
    description = sections()[section].model_fields[key].description
    assert description, f"{section}.{key} has no description; give its Field one"
    assert description.endswith(".")


def test_the_readme_lists_every_setting_as_it_is() -> None:
    assert written_table() == table(), "recommender/README.md lags behind recommender/config.py; run: make docs"


@pytest.mark.parametrize(("path", "command"), list(commands(typer.main.get_command(cli.app), "windowshop")))
def test_a_command_and_its_options_are_described(path: str, command: Any) -> None:
    check_help(path, command)


@pytest.mark.parametrize("name", OF_TRAINING)
def test_a_command_of_training_and_its_options_are_described(name: str) -> None:
    alone = typer.Typer()
    alone.command(name)(EntryPoint(name, OF_TRAINING[name], "windowshop.commands").load())
    check_help(f"windowshop {name}", typer.main.get_command(alone))


def test_help_lists_the_commands_of_both_sides() -> None:
    online = {path for path, _ in commands(typer.main.get_command(cli.app), "windowshop")}
    names = {"serve", "feed", "send-events", "export-events", "models list", "models show"}
    assert {f"windowshop {name}" for name in names} <= online
    assert OF_TRAINING.keys() == cli.FROM_TRAINING.keys()


def test_make_help_lists_every_command_that_is_not_a_part_of_check() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^([a-z-]+):(?!=)(.*)$", makefile, flags=re.MULTILINE))
    documented = {name for name, rule in rules.items() if "## " in rule}
    parts_of_check = set(rules["check"].partition("##")[0].split())
    assert rules.keys() - documented == parts_of_check
    assert {"help", "demo", "test", "check", "protos", "bench", "lock"} <= documented
