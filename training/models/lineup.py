"""Which models a dataset can feed, in the order in which their sources serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from threadpoolctl import threadpool_limits

from recommender.config import Settings
from recommender.features.recency import Recency
from training.dataset import Dataset
from training.models.als import AlsModel
from training.models.content import ContentModel, has_content
from training.models.cooccurrence import CooccurrenceModel
from training.models.ease import EaseModel
from training.models.friends import FriendsModel
from training.models.gfcf import GfcfModel
from training.models.newcomers import NewcomersModel
from training.models.own_frequency import OwnFrequencyModel
from training.models.parameters import default_recencies
from training.models.popularity import CategoryPopularityModel, PopularityModel
from training.models.protocol import FadingModel, RetrievalModel
from training.models.shapes import Shape, Shapes


def make_models(
    dataset: Dataset, settings: Settings, recencies: Mapping[str, Recency], shapes: Shapes
) -> list[RetrievalModel]:
    """The models of the configured sources that this dataset can feed, in the order of serving.

    Popularity is always among them: it is every feed's tail.
    """
    train, bundle = settings.train, settings.bundle
    popularity = PopularityModel(train)
    made: dict[str, Callable[[], RetrievalModel]] = {
        "popularity_recent": lambda: popularity,
        "cooccurrence": lambda: CooccurrenceModel(recencies["cooccurrence"], bundle.neighbours, shapes.cooccurrence),
        "als": lambda: AlsModel(train, bundle, recencies["als"], shapes.als),
        "gfcf": lambda: GfcfModel(recencies["gfcf"], bundle.neighbours, shapes.gfcf),
        "ease": lambda: EaseModel(recencies["ease"], bundle.neighbours, shapes.ease),
        "friends": lambda: FriendsModel(recencies["friends"]),
        "own_frequency": lambda: OwnFrequencyModel(recencies["own_frequency"]),
        "content": lambda: ContentModel(train, bundle, recencies["content"]),
        "newcomers": lambda: NewcomersModel(recencies["newcomers"]),
        "popularity_category": lambda: CategoryPopularityModel(popularity, recencies["popularity_category"]),
    }
    lacking = set()
    if not has_content(dataset.catalogue):
        lacking |= {"content", "newcomers"}
    if not (dataset.catalogue.categories != "").any():
        lacking.add("popularity_category")
    if dataset.circles is None:
        lacking.add("friends")
    if dataset.n_items < 2 or not len(dataset.items):
        lacking |= {"als", "cooccurrence", "content", "gfcf", "ease"}
    names = [name for name in train.sources if name not in lacking]
    return [made[name]() for name in dict.fromkeys(["popularity_recent", *names])]


def fit_model(
    name: str, dataset: Dataset, settings: Settings, recency: Recency, shape: Shape | None = None
) -> FadingModel:
    """One of those whose histories fade, whether configured or not, fitted with what it rests on.

    Raises:
        InputError: The dataset cannot be fitted.
        KeyError: It cannot feed this model at all.
    """
    train = settings.train.model_copy(update={"sources": (name,)})
    recencies = {**default_recencies(dataset.timed), name: recency}
    shapes = Shapes.of({} if shape is None else {name: shape.values()})
    made = make_models(dataset, settings.model_copy(update={"train": train}), recencies, shapes)
    with threadpool_limits(1, "blas"):
        for model in made:
            model.fit(dataset)
    return cast("FadingModel", {model.name: model for model in made}[name])
