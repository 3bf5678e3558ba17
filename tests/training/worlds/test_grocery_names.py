from __future__ import annotations

import pytest

from training.worlds.grocery_names import path_of, readable, size_of, title_of


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("FRZN POTATOES", "Frozen potatoes"),
        ("WAFFLES/PANCAKES/FRENCH TOAST", "Waffles, pancakes & French toast"),
        ("CAT FOOD (9 LIVES/FRISK", "Cat food"),
        ("DAIRY CASE 100% PURE JUICE - O", "Chilled orange juice"),
        ("CANDY BAGS-CHOCOCLATE", "Candy bags, chocolate"),
        ("NON-CARB WATER", "Non-carb water"),
        ("WOMEN S GENERAL-MAGAZINE", "Women's general magazine"),
        ("PREPARED BEANS - BAKED W/PORK", "Prepared beans, baked with pork"),
        ("CHOCOLATE & ALL", "Chocolate"),
        ("", ""),
    ],
)
def test_a_label_reads_like_a_shop_wrote_it(label: str, words: str) -> None:
    assert readable(label) == words


@pytest.mark.parametrize(
    ("department", "category", "label", "title"),
    [
        ("GROCERY", "PASTA SAUCE", "MAINSTREAM", "Pasta sauce, mainstream"),
        ("MEAT-PCKGD", "LUNCHMEAT", "BOLOGNA", "Lunchmeat, bologna"),
        ("MEAT-PCKGD", "FROZEN MEAT", "FRZN BREADED PREPARED CHICK", "Frozen breaded prepared chicken"),
        ("PRODUCE", "APPLES", "APPLES GALA (BULK&BAG)", "Apples, Gala"),
        ("NUTRITION", "FROZEN", "FROZEN VEGETABLES", "Frozen vegetables"),
        ("GROCERY", "PAPER TOWELS", "PAPER TOWELS & HOLDERS", "Paper towels & holders"),
        ("FLORAL", "ROSES", "", "Roses"),
        ("MISCELLANEOUS", "", "", "Miscellaneous"),
    ],
)
def test_a_title_says_what_it_is_without_its_category(department: str, category: str, label: str, title: str) -> None:
    assert title_of(department, category, label) == title


def test_a_category_path_names_no_level_twice_in_a_row() -> None:
    assert path_of("PRODUCE", "CITRUS", "LEMONS") == "Produce > Citrus > Lemons"
    assert path_of("DRUG GM", "CIGARETTES", "CIGARETTES") == "Household > Cigarettes"
    assert path_of("MISCELLANEOUS", "", "") == "Miscellaneous"


def test_a_crate_is_not_a_size_that_a_shopper_buys() -> None:
    assert size_of("PRODUCE", "40 LB") == size_of("PRODUCE", "24 CT") == ""
    assert size_of("GROCERY", "24 CT") == "24 ct"
