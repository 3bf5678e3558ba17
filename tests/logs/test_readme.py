from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "recommender" / "logs" / "README.md"


def test_the_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})


def test_the_readme_names_every_reason_that_the_code_gives() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in README.parent.glob("*.py"))
    given = set(re.findall(r"THEN '([a-z0-9_]+)'", source)) | set(re.findall(r'"(missing_[a-z_]+)"', source))
    given |= set(re.findall(r'": "([a-z0-9_]+)",\n', source.partition("_REASONS: Final = {")[2].partition("}")[0]))
    text = README.read_text(encoding="utf-8")
    assert len(given) > 15
    assert not {reason for reason in given - {"missing"} if f"`{reason}`" not in text}
