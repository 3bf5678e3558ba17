"""The grocery log's shelf labels, in the words of a shop: abbreviations spelled out, cut ends and codes dropped."""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import Final

_LABELS: Final = tomllib.loads(Path(__file__).with_name("grocery_labels.toml").read_text(encoding="utf-8"))
_WHOLE: Final[dict[str, str]] = _LABELS["labels"]
_WORDS: Final[dict[str, str]] = _LABELS["words"]
_VAGUE: Final = frozenset(_LABELS["vague"])
#: Departments whose labels name the cut and leave the animal to the category.
_CUTS: Final = frozenset({"MEAT", "MEAT-PCKGD", "SEAFOOD", "SEAFOOD-PCKGD"})
#: Departments that sell by the pound or the piece.
_FRESH: Final = frozenset({"DELI", "MEAT", "PRODUCE", "SALAD BAR", "SEAFOOD"})
#: Words that a hyphen joins to the next; elsewhere it stands for a pause.
_JOINED: Final = frozenset({"NON", "MULTI", "PRE", "ANTI", "X", "SEMI", "SELF", "BY", "ALL", "ONE", "IN", "LOW", "DE"})
#: Labels were cut at this length, so a short last word is a stump.
_CUT_LENGTH: Final = 30
_SIZE: Final = re.compile(
    r"(?<![\d.-])((?:\d{1,4}(?:\.\d+)?|\.\d+)(?:\s?\d?/\d+)?)\s*"
    r"(FL OZ|SQ FT|OZ|LBS?|CT|PK|ML|LITER|LT|L|IN|QT|PT|GAL?|GA|FT|PC|LOADS?|LDS?|DZ|STEM|ROLLS?|SHEETS?|KG|GM?)\b"
)
_UNITS: Final = {
    "LOADS": "loads", "LOAD": "loads", "LD": "loads", "LDS": "loads", "L": "L", "LT": "L", "LITER": "L", "ML": "ml",
    "GA": "gal", "DZ": "dozen", "GM": "g", "LBS": "lb", "STEM": "stems",
}  # fmt: skip


@functools.cache
def readable(label: str) -> str:
    """A label in sentence case, without what stands in brackets.

    Example:
        >>> readable("FRZN BREAKFAST FOODS")
        'Frozen breakfast foods'
        >>> readable("BREAD:ITALIAN/FRENCH")
        'Bread, Italian & French'
        >>> readable("MARGARINE: TUBS AND BOWLS")
        'Margarine, tubs and bowls'
    """
    words = _WHOLE.get(label) or _spelled_out(label)
    return words[:1].upper() + words[1:]


def _spelled_out(label: str) -> str:
    text = re.sub(r"\([^)]*\)?", " ", label)
    if len(label) >= _CUT_LENGTH and "(" not in label:
        text = re.sub(r"[\s/&-]+[A-Z]{1,2}$", "", text)
    text = re.sub(r"\b(WO|CHILD)?(MEN|REN) S\b", r"\1\2'S", text).replace("-MAGAZINE", " MAGAZINE")
    text = re.sub(r"\bW/(?=[A-Z])", "WITH ", text)
    text = re.sub(r"\bW/O\b", "WITHOUT", text)
    parts = [_listed(part) for part in re.split(r":\s*|\s+-\s*|-\s+|,\s*", _paused(text))]
    return ", ".join(part for part in parts if part)


def _paused(text: str) -> str:
    """Hyphens between whole words as pauses, but for those that join."""
    return re.sub(r"\b([A-Z]{2,}|X)-(?=[A-Z]{2,})", lambda m: m[0] if m[1] in _JOINED else f"{m[1]}, ", text)


def _listed(part: str) -> str:
    """Words between strokes and ampersands as a list."""
    part = re.sub(r"(?<=[A-Z])\s*/\s*(?=[A-Z])", "\x00", part)
    part = re.sub(r"(?<=[A-Z])\s*&\s*(?=[A-Z])", "\x00", part)
    things = [words for words in (_in_words(thing) for thing in part.split("\x00")) if words]
    return " & ".join(filter(None, (", ".join(things[:-1]), things[-1]))) if things else ""


def _in_words(thing: str) -> str:
    words = [_WORDS.get(word, word.lower()) for word in re.findall(r"[^\s.]+", thing)]
    words = [word for word in words if word and word not in {"/", "&"}]
    while words and words[-1] in {"all", "and", "with", "of"}:
        words.pop()
    return " ".join(words)


def title_of(department: str, category: str, label: str) -> str:
    """What a shop would call a product, but for its size; labels may be empty.

    Example:
        >>> title_of("GROCERY", "CRACKERS/MISC BKD FD", "SNACK CRACKERS")
        'Snack crackers'
        >>> title_of("MEAT", "BEEF", "PRIMAL")
        'Beef, primal'
        >>> title_of("PRODUCE", "POTATOES", "POTATOES RUSSET (BULK&BAG)")
        'Potatoes, russet'
    """
    if not label:
        return readable(category or department)
    if label not in _WHOLE and not _is_vague(category) and re.match(re.escape(category) + r"\s+\w{2}", label):
        name = readable(label.removeprefix(category))
        return f"{readable(category)}, {_lowered(name)}" if name else readable(category)
    kind = re.sub(r"\s*-\s*(MISC|ALL OTHERS|FRESH)$|^MISC\w*\.?\s*", "", category)
    lacking = department in _CUTS and not _stems(label) & _stems(kind)
    if kind and (lacking or _is_vague(label)):
        return f"{readable(kind)}, {_lowered(readable(label))}"
    return readable(label)


def _is_vague(label: str) -> bool:
    return set(re.findall(r"[A-Z]+", label)) <= _VAGUE


def _stems(label: str) -> set[str]:
    return {word.removesuffix("s") for word in re.findall(r"[a-z]{3,}", readable(label).lower())}


def _lowered(name: str) -> str:
    first = name.split(" ", 1)[0]
    return name if first.rstrip(",") in set(_WORDS.values()) else name[:1].lower() + name[1:]


@functools.cache
def size_of(department: str, package_size: str) -> str:
    """A package's size without the codes that some labels carry; empty where none can be told.

    Fresh goods come by the crate, whose size would mislead: from 10 pounds or pieces on it is left out.

    Example:
        >>> size_of("GROCERY", "P   .13 OZ"), size_of("GROCERY", "12 PK/12 OZ"), size_of("GROCERY", "1/2 GAL")
        ('.13 oz', '12 pk/12 oz', '1/2 gal')
        >>> size_of("DRUG GM", "157297  PK"), size_of("PRODUCE", "40 LB"), size_of("PRODUCE", "5 LB")
        ('', '', '5 lb')
    """
    sizes = _SIZE.findall(package_size.upper())
    if department in _FRESH and any(re.match(r"\d{2}", number) and unit != "OZ" for number, unit in sizes):
        return ""
    return "/".join(f"{number} {_UNITS.get(unit, unit.lower())}" for number, unit in sizes[:2])


def path_of(department: str, category: str, label: str) -> str:
    """The category path; a level that repeats the one above is left out."""
    levels: list[str] = []
    for level in filter(None, (department, category, label)):
        name = readable(level).replace(" > ", " ")
        if name and name not in levels[-1:]:
            levels.append(name)
    return " > ".join(levels)
