"""Each row of an ablation takes away what it says, and nothing else."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recommender.features.ranker_inputs import input_names
from recommender.features.user_item_inputs import USER_ITEM_INPUTS
from recommender.feed.rankers.trees import TreeInputs
from recommender.wiring import build_pipeline
from tests.training.small_log import small_settings, write_small_log
from training.ablation import Row, Study, ablation, differences
from training.build import build_bundle
from training.evaluation.ablation_view import print_ablation
from training.evaluation.metrics import ItemFacts, category_levels, item_holders
from training.evaluation.page.ablation import ablation_section
from training.evaluation.report import Report
from training.footings import Footing
from training.inputs import read_inputs
from training.lists import pipeline_lists, queries_of
from training.parts import cases_of, cut_log
from training.progress import SilentProgress
from training.ranking.examples import Examples, without_inputs
from training.ranking.input_groups import INPUT_GROUPS, RECENT_INPUTS, columns_of
from training.ranking.learned import fit_alike
from training.request import TrialRequest
from training.rounds import _recipe
from training.stages import StageStore

SOURCES = ("cooccurrence", "gfcf", "own_frequency", "popularity_recent")
SILENT = SilentProgress()
Shop = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small shop's build, ready to be taken apart."""
    folder = tmp_path_factory.mktemp("shop")
    settings = small_settings(sources=SOURCES, most_trees=15, teaching_windows=1, max_example_users=150)
    paths = write_small_log(folder)
    request = TrialRequest(paths, folder / "report.json", settings, holdout_seconds=10 * 86_400.0, ks=(20,))
    inputs = read_inputs(paths, folder, settings)
    parts = cut_log(request, inputs, settings)[0]
    recipe = _recipe(request, inputs, parts, settings)
    built = build_bundle(recipe, StageStore(folder / "stages"), folder / "bundle", SILENT)
    train, cases = cases_of(request, built.dataset, parts)
    study = Study(built, cases, 20, folder / "ablation", SILENT)
    return {
        "study": study,
        "request": request,
        "cases": cases,
        "facts": ItemFacts(*item_holders(train, built.dataset.n_items), category_levels([""] * built.dataset.n_items)),
        "lists": pipeline_lists(built, cases, settings, 20, SILENT),
        "examples": study.full.examples("served", "all", folder / "work", SILENT)[0],
        "work": folder / "work",
    }


def test_every_input_is_in_one_group() -> None:
    columns = [column for group in INPUT_GROUPS.values() for column in columns_of(group, SOURCES)]
    assert sorted(columns) == list(range(len(input_names(SOURCES) + USER_ITEM_INPUTS)))
    assert len(columns_of(RECENT_INPUTS, SOURCES)) == len(RECENT_INPUTS)


@pytest.mark.parametrize("source", SOURCES)
def test_without_a_source_nothing_that_it_alone_would_bring_can_be_served(shop: Shop, source: str) -> None:
    # Popularity would bring all there is in so small a shop.
    full: Footing = shop["study"].full
    full = full if source == "popularity_recent" else full.without("popularity_recent")
    less = full.without(source)
    ranker = {"name": "single_source", "source": less.sources[0]}
    whole, other = (one.bundle(shop["work"] / one.sources[0], ranker, {}) for one in (full, less))
    with_it, without_it = (build_pipeline(bundle, full.settings) for bundle in (whole, other))
    assert set(with_it.sources) - set(without_it.sources) == {source}
    assert not [name for name in TreeInputs(other).names if name.startswith(f"{source}.")]
    column = with_it.sources.index(source)
    alone = 0
    for query in list(queries_of(whole, shop["cases"], full.built.dataset))[:15]:
        found = with_it.candidates(query)
        brought = (np.delete(found.source_ranks, column, axis=1) >= 0).any(axis=1)
        np.testing.assert_array_equal(np.sort(without_it.candidates(query).rows), np.sort(found.rows[brought]))
        alone += int((~brought).sum())
    assert alone or source not in ("gfcf", "popularity_recent")


@pytest.mark.parametrize("ranker", ["trees", "logistic"])
def test_what_is_taken_from_the_inputs_cannot_move_a_score(shop: Shop, ranker: str) -> None:
    full, examples = shop["study"].full, shop["examples"]
    columns = columns_of(INPUT_GROUPS["places in the sources' lists"], full.sources)
    before = examples.inputs.copy()
    with without_inputs(examples, columns):
        fitted = fit_alike(ranker, 15, examples, full.sources, full.settings.train)
    np.testing.assert_array_equal(examples.inputs, before)
    whole = fit_alike(ranker, 15, examples, full.sources, full.settings.train)
    assert fitted is not None
    assert whole is not None
    assert not read_by(fitted.arrays()) & set(columns)
    assert read_by(whole.arrays()) & set(columns)


def read_by(arrays: dict[str, Any]) -> set[int]:
    """The columns that a ranker's score depends on."""
    if "coefficients" in arrays:
        return set(np.flatnonzero(arrays["coefficients"]).tolist())
    return set(arrays["features"][np.isfinite(arrays["borders"])].tolist())


def test_a_ranker_that_is_taught_anew_with_nothing_taken_away_is_the_one_that_serves(shop: Shop) -> None:
    row = shop["study"].taught("sources", "none", shop["study"].full, shop["examples"])
    np.testing.assert_array_equal(row.lists, shop["lists"])


def test_sources_that_were_fitted_on_all_days_give_the_answers_away(shop: Shop) -> None:
    full: Footing = shop["study"].full
    knowing = full.examples("knowing", "knowing", shop["work"], SILENT)[0]
    assert lead_of_targets(knowing, full) > 1.1 * lead_of_targets(shop["examples"], full) > 0


def lead_of_targets(examples: Examples, footing: Footing) -> float:
    """How much more co-occurrence gives targets than the other candidates."""
    share = examples.inputs[:, input_names(footing.sources).index("cooccurrence.share")]
    return float(np.nanmean(share[examples.labels]) - np.nanmean(share[~examples.labels]))


def test_where_lists_are_whole_dense_examples_are_the_served_ones(shop: Shop) -> None:
    dense = shop["study"].full.examples("dense", "dense", shop["work"], SILENT)[0]
    np.testing.assert_array_equal(dense.labels, shop["examples"].labels)
    np.testing.assert_allclose(dense.inputs, shop["examples"].inputs, atol=1e-4)


def test_without_recency_nothing_fades_in_fits_and_queries(shop: Shop) -> None:
    full: Footing = shop["study"].full
    still = full.unfaded(shop["work"], SILENT)
    assert still.folds[0].replay is full.folds[0].replay
    bundle = still.bundle(shop["work"] / "still", {"name": "single_source", "source": "gfcf"}, {})
    for own in still.recencies.values():
        assert own["half_life_days"] == own["half_life_items"] == 0
    for name in still.recencies:
        assert bundle.manifest.sources[name]["half_life_days"] == 0
    dataset = full.built.dataset
    all_time = np.bincount(dataset.items, dataset.weights(), dataset.n_items)
    np.testing.assert_allclose(bundle.array("popularity/recent"), all_time / all_time.max(), atol=1e-6)


def test_rows_are_compared_on_the_same_users(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    request, cases, facts, lists = (shop[name] for name in ("request", "cases", "facts", "lists"))
    turned = lists.copy()
    turned[: len(turned) // 2] = turned[: len(turned) // 2, ::-1]
    found = differences(request, [Row("inputs", "same", lists), Row("inputs", "turned", turned)], cases, facts, lists)
    same, other = found["rows"]
    assert same["over_pipeline"]["ndcg@20"]["ci95"] == [0, 0]
    assert same["ndcg@20"] == found["pipeline"]["ndcg@20"]
    pair = other["over_pipeline"]["ndcg@20"]
    assert pair["mean"] == pytest.approx(other["ndcg@20"]["mean"] - found["pipeline"]["ndcg@20"]["mean"])
    assert pair["ci95"][1] < 0
    # On other resamples for either of the two, it would be as wide as both together.
    assert np.diff(pair["ci95"]) < np.hypot(*(np.diff(row["ndcg@20"]["ci95"]) for row in found["rows"]))
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    missing = ablation(_asking(request, "rankers"), shop["study"], cases, facts, lists)
    assert [row["name"] for row in missing["left_out"]] == [
        "LightGBM's trees, LambdaRank", "LightGBM's trees, log loss",
    ]  # fmt: skip
    assert "not installed" in missing["left_out"][0]["why"]


def _asking(request: TrialRequest, *kinds: str) -> TrialRequest:
    return TrialRequest(**{**vars(request), "ablate": kinds})


def test_lightgbm_ranks_the_same_candidates_and_the_table_tells_how_well(shop: Shop) -> None:
    pytest.importorskip("lightgbm")
    request, cases, facts, lists = (shop[name] for name in ("request", "cases", "facts", "lists"))
    found = ablation(_asking(request, "rankers"), shop["study"], cases, facts, lists)
    assert not found["left_out"]
    rows = {row["name"]: row for row in found["rows"]}
    boosted, fused = rows["LightGBM's trees, LambdaRank"], rows["reciprocal ranks, not learned"]
    assert boosted["ndcg@20"]["mean"] > fused["ndcg@20"]["mean"] + 0.05
    found["left_out"].append({"kind": "recency", "name": "nothing fades", "why": "the log has no times"})
    console = Console(width=160, record=True, file=io.StringIO())
    print_ablation(found, console)
    text = console.export_text()
    assert text.index("reciprocal ranks") < text.index("LambdaRank")
    assert "Left out: recency, nothing fades: the log has no times." in text
    section = ablation_section(Report({"k": [20]}, 1, (), {}, {}, {"ablation": found}))
    assert section is not None
    assert "LambdaRank" in section.body
    assert "no times" in section.body
    assert ablation_section(Report({"k": [20]}, 1, (), {}, {})) is None


def test_a_served_ranker_passes_short_histories_to_the_next_best_source(shop: Shop) -> None:
    study: Study = shop["study"]
    short = {"source": "cooccurrence", "below": 3}
    study._ranker = {**study._ranker, "short": short}
    study._built.manifest.metrics["choose"]["short ndcg@20"] = {"cooccurrence": 0.3, "gfcf": 0.2}
    assert study._short(study.full) == short
    assert study._short(study.full.without("gfcf")) == short
    assert study._short(study.full.without("cooccurrence")) == {"source": "gfcf", "below": 3}
    assert study._short(study.full.without("cooccurrence").without("gfcf")) is None
