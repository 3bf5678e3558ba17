"""The house keeps its shape: what lies at the top, what a room needs, what nothing is called."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "protos",
    "pyproject.toml",
    "recommender",
    "requirements.lock",
    "tests",
    "training",
}
REFUSED_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "manager", "processor", "data", "misc"}
GENERATED = ROOT / "recommender" / "api" / "v1"
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Files that git knows, relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing tells what belongs to it")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [path for name in listing.split("\0") if name and (ROOT / (path := Path(name))).exists()]


def modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if GENERATED not in path.parents:
                yield path


def rooms() -> list[Path]:
    inside = [path for package in ("recommender", "training") for path in sorted((ROOT / package).glob("*/"))]
    return [ROOT / "recommender", ROOT / "training", *(path for path in inside if (path / "__init__.py").exists())]


def test_only_the_agreed_entries_lie_at_the_top(tracked: list[Path]) -> None:
    found = {path.parts[0] for path in tracked}
    assert {name for name in found if not name.startswith(".")} == TOP_LEVEL


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_says_what_it_is_for(room: Path) -> None:
    readme = room / "README.md"
    assert readme.exists(), f"{room.relative_to(ROOT)} has no README.md; write what it is for and how it hangs together"
    assert readme.read_text(encoding="utf-8").startswith("# ")


def test_no_room_or_module_has_a_name_that_says_nothing(tracked: list[Path]) -> None:
    named = [path for path in tracked if path.suffix == ".py"]
    assert not [path for path in named if REFUSED_NAMES & {*path.parts[:-1], path.stem}]


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    last = function.body[-1].end_lineno or 0
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return last - function.lineno + 1 - docstring


@pytest.mark.parametrize("package", ["recommender", "training"])
def test_modules_and_functions_stay_short(package: str) -> None:
    too_long = []
    for path in modules(package):
        source, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        if (lines := len(source.splitlines())) > MAX_MODULE_LINES:
            too_long.append(f"{name}: {lines} lines")
        functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        long = [function for function in functions if code_lines(function) > MAX_FUNCTION_LINES]
        too_long += [f"{name}:{each.lineno} {each.name}: {code_lines(each)} lines" for each in long]
    assert not too_long


def test_every_module_postpones_its_annotations() -> None:
    def postpones(path: Path) -> bool:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        only_docstring = all(isinstance(node, ast.Expr) for node in tree.body)
        return only_docstring or any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
        )

    found = [path for path in modules("recommender", "training", "tests") if path.name != "__init__.py"]
    assert not [str(path.relative_to(ROOT)) for path in found if not postpones(path)]


def test_nothing_names_a_place_of_one_machine(tracked: list[Path]) -> None:
    places = re.compile(rb"(?<![\w.])/(?:work|root|home|Users|opt)/\w|pypi\.org|files\.pythonhosted")
    texts = [path for path in tracked if path != Path(__file__).relative_to(ROOT)]
    assert not [str(path) for path in texts if places.search((ROOT / path).read_bytes())]


def test_the_lock_pins_every_requirement_by_hash_and_names_no_place() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.split(r"\n(?=\S)", lock.strip())
    assert not [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin]
    assert not re.search(r"://|^--|(?:index-url|find-links|@ )", lock, flags=re.MULTILINE)


def test_the_lock_covers_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
    names = {re.split(r"[\[<>=~! ]", need, maxsplit=1)[0].lower().replace("_", "-") for need in asked} - {"windowshop"}
    locked = set(
        re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert names <= locked, f"not in requirements.lock: {sorted(names - locked)}; run: make lock"
