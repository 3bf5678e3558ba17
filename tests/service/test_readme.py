from __future__ import annotations

import re
from pathlib import Path

import pytest

from recommender.service.roles import OPEN, ROLES

PACKAGE = Path(__file__).parents[2] / "recommender"
README = (PACKAGE / "service" / "README.md").read_text(encoding="utf-8")
# A reason stands beside its status code, opens a Problem, or is made of the name of what is missing.
_RAISED = (
    r'RequestError\(\s*"[A-Z_]+",\s*"([A-Z][A-Z0-9_]+)"',
    r'Problem\(\s*"([A-Z][A-Z0-9_]+)"',
    r'reason = "([A-Z][A-Z0-9_]+)"',
    r'"(STATE_[A-Z]+)"',
)


def raised() -> set[str]:
    """Reasons that the code gives to clients."""
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if "api" not in path.parts]
    found = {reason for source in sources for pattern in _RAISED for reason in re.findall(pattern, source)}
    return found | {f"PAGE_TOKEN_{how}" for how in ("INVALID", "MISMATCH", "EXPIRED")}


def test_the_code_raises_what_is_looked_for() -> None:
    assert {"ITEM_NOT_FOUND", "TOKEN_MISSING", "EVENT_ID_REUSED", "STATE_FULL", "ID_TOO_LONG"} <= raised()


@pytest.mark.parametrize("reason", sorted(raised()))
def test_a_reason_that_a_client_can_meet_stands_in_the_readme(reason: str) -> None:
    assert f"`{reason}`" in README, f"recommender/service/README.md does not say whether to send again after {reason}"


@pytest.mark.parametrize("method", sorted({path.rpartition("/")[2] for path in ROLES if "reflection" not in path}))
def test_a_method_has_its_retry_guidance_in_the_readme(method: str) -> None:
    guidance = README.partition("| call | sent again")[2].partition("```")[0]
    assert re.search(rf"\b{method}\b", guidance), f"recommender/service/README.md: may {method} be sent again?"


def test_health_and_reflection_have_theirs() -> None:
    assert OPEN
    assert "reflection, health" in README
