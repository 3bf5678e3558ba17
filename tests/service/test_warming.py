"""Once a worker answers, no request compiles or loads a kernel any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.feed.rankers.test_trees import with_trees
from tests.feed.rankers.weights import with_logistic_ranker
from tests.servers import ROOT
from tests.worlds import write_tiny_bundle

# In a process of its own, since this one has compiled nearly everything. What is new in a dispatcher's overloads was
# compiled or loaded by a request.
PROGRAM = """
import importlib, pkgutil, sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
import recommender.kernels
from recommender.bundle import open_bundle
from recommender.feed.views import FeedRequest
from recommender.service.warming import warm_up
from recommender.state.live_items import LiveItem, Ruling, Target
from recommender.types import FeedFilter, Item, Kind, Relaxation
from tests.feed.shops import Shop, items_of

def overloads():
    names = [module.name for module in pkgutil.iter_modules(recommender.kernels.__path__)]
    modules = [importlib.import_module(f"recommender.kernels.{name}") for name in names]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    return {f"{each.py_func.__name__}{signature}" for each in found for signature in each.overloads}

folder, mode = Path(sys.argv[1]), sys.argv[2]
bundle = open_bundle(folder, verify=False)
shop = Shop.open(bundle, folder.parent / "state", mode=mode)
warm_up(bundle, shop.settings)
warm = overloads()
assert len(warm) > 10, warm

filters = [
    FeedFilter(),
    FeedFilter(kinds=(Kind.PRODUCT,), categories=("Kitchen",), min_price=1.0, max_price=50.0, currency="USD"),
    FeedFilter(seller_ids=("seller-0-0",), relax=(Relaxation.SELLERS, Relaxation.CATEGORIES, Relaxation.PRICE)),
    FeedFilter(exclude_item_ids=("item-spade", "item-nowhere")),
]
viewers = [("ada", ""), ("", "session"), ("stranger", ""), ("stranger", "session"), ("", ""), ("ada", "session")]

def everything():
    for user_id, session_id in viewers:
        for wanted in filters:
            page = shop.page(user_id, 3, session_id=session_id, filter=wanted)
            while page.next_page_token:
                page = shop.page(user_id, 7, page.next_page_token, session_id=session_id, filter=wanted)
    for behaviour in ("behavior", "bought_together"):
        page = shop.pages.similar("item-iron-pan", behaviour, 3, "")
        shop.pages.similar("item-iron-pan", behaviour, 3, page.next_page_token)

everything()
for row in range(9):
    shop.record(bundle.items.ids[row], "view", "ada")
for number, kind in enumerate(("view", "purchase", "hide", "like", "impression", "return", "follow", "unheard-of")):
    for user_id, session_id in viewers:
        if user_id or session_id:
            shop.record(bundle.items.ids[number], kind, user_id, session_id)
    everything()
new = Item("new-pan", title="iron crepe pan", category="Kitchen > Pans", brand="brand-0", price=7.0, currency="USD")
for rulings in ([], [Ruling(Target.ITEM, "item-spade", True, 0), Ruling(Target.SELLER, "seller-0-1", True, 0)]):
    shop.state.live_items.upsert([LiveItem(new, shop.clock.now_ms)])
    shop.state.live_items.rule(rulings)
    everything()
    shop.record("new-pan", "view", "ada")
    everything()
shop.pages.similar("new-pan", "behavior", 3, "")
shop.state.close()
for late in sorted(overloads() - warm):
    print(late)
"""


@pytest.mark.parametrize(("ranker", "mode"), [("single_source", "any"), ("logistic", "discover"), ("trees", "any")])
def test_no_request_meets_a_kernel_that_was_not_run_before(tmp_path: Path, ranker: str, mode: str) -> None:
    bundle = write_tiny_bundle(tmp_path / "v1")
    if ranker == "logistic":
        with_logistic_ranker(bundle)
    elif ranker == "trees":
        # No user of the bundle has touched so many items: only what was made up for it meets the trees beforehand.
        with_trees(bundle, short={"source": "cooccurrence", "below": 7})
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path / "v1"), mode]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stderr
