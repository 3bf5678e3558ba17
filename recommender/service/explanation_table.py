"""An explanation as a person reads it: a sentence, then what each source and the ranker say."""

from __future__ import annotations

from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from recommender.api.v1 import feed_pb2

_SENTENCES: Final = {
    feed_pb2.ITEM_STAGE_NOT_IN_CATALOGUE: "not in the catalogue",
    feed_pb2.ITEM_STAGE_NOT_RETRIEVED: "not retrieved: no source gave it, and the popular items end before it",
}


def sentence(reply: feed_pb2.ExplainItemResponse) -> str:
    """What became of the item, in one sentence."""
    chance = f" (probability {reply.probability:.2%})" if reply.HasField("probability") else ""
    by_score = f"place {reply.rank} by score, {reply.score:.3f}{chance}; the last one shown has {reply.last_score:.3f}"
    match reply.stage:
        case feed_pb2.ITEM_STAGE_UNAVAILABLE:
            return f"unavailable: {_words(feed_pb2.Absence.Name(reply.absence), 'ABSENCE_')}"
        case feed_pb2.ITEM_STAGE_FILTERED:
            return f"filtered by {', '.join(reply.filters)}"
        case feed_pb2.ITEM_STAGE_OUTRANKED:
            return f"outranked: {by_score}"
        case feed_pb2.ITEM_STAGE_CAPPED:
            return f"moved out by variety or a cap: {by_score}"
        case feed_pb2.ITEM_STAGE_SHOWN:
            ranked = (
                f", place {reply.rank} by score, {reply.score:.3f}{chance}"
                if reply.HasField("rank")
                else ", as popular"
            )
            return f"shown at position {reply.position}{ranked}"
    return _SENTENCES.get(reply.stage, "unknown to this client")


def explanation_table(title: str, reply: feed_pb2.ExplainItemResponse) -> Group:
    """The sentence, a table of the sources, and one of the ranker's inputs where it was ranked.

    Args:
        title: Before the sentence.
        reply: Of ExplainItem.
    """
    sources = _table("source", "retrieved", "rank", "score", "contribution", "evidence")
    for each in reply.sources:
        cells = (
            each.source,
            "yes" if each.retrieved else "no",
            str(each.rank) if each.HasField("rank") else "",
            f"{each.score:.4g}" if each.HasField("score") else "",
            f"{each.contribution:.4g}" if each.HasField("contribution") else "",
            each.error or each.evidence_item_id or each.evidence_category,
        )
        sources.add_row(*map(Text, map(_shown, cells)))
    parts: list[Text | Table] = [Text(_shown(f"{title}: {sentence(reply)}"))]
    parts += [sources] if reply.sources else []
    if reply.inputs:
        inputs = _table(f"input of {reply.ranker}", "value")
        for value in reply.inputs:
            inputs.add_row(Text(_shown(value.name)), f"{value.value:.4g}" if value.HasField("value") else "")
        parts.append(inputs)
    return Group(*parts)


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name in {"retrieved", "evidence"} else "right")
    return table


def _words(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


def _shown(text: str) -> str:
    """Text from outside without codes that a terminal obeys."""
    return "".join(letter for letter in text if letter.isprintable())
