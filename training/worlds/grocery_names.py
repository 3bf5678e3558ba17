"""The grocery log's shelf labels, in the words of a shop: abbreviations spelled out, cut ends and codes dropped."""

from __future__ import annotations

import functools
import re
from typing import Final

#: Labels that no rule makes readable.
_WHOLE: Final = {
    "BEERALEMALT LIQUORS": "beer, ale & malt liquor",
    "BETTER FOR YOU": "light",
    "CARDS EVERYDAY": "greeting cards",
    "CARDS SEASONAL": "seasonal greeting cards",
    "CHILDREN S ACTIVITY": "children's activities",
    "COTTON COTTON SWABS": "cotton swabs",
    "COUPON/MISC ITEMS": "miscellaneous items",
    "DAIRY CASE 100% PURE JUICE - O": "chilled orange juice",
    "DAIRY CASE 100% PURE JUICE OTH": "chilled pure juice",
    "DAIRY CASE TEA WITH SUGAR OR S": "chilled sweet tea",
    "DAIRY CASE JUICE DRNK UNDER 10": "chilled juice drink",
    "DAIRY CASE CITRUS PNCH/OJ SUBS": "chilled citrus punch",
    "DAIRY CASE FRUIT DRINKS (NO JU": "chilled fruit drink",
    "DRUG GM": "household",
    "FD WRAPS/BAGS/TRSH BG": "food wraps & trash bags",
    "FLUID MILK WHITE ONLY": "white milk",
    "FLUID MILK PRODUCTS": "milk products",
    "FRZN SS PREMIUM ENTREES/DNRS/N": "premium frozen dinner for one",
    "FRZN SS PREMIUM ENTREES/DNRS/T": "premium frozen dinner for one",
    "SS ECONOMY ENTREES/DINNERS ALL": "economy frozen dinner for one",
    "FRZN MULTI SERVE ENTREES ALL": "frozen dinner for several",
    "FRZN BOXED VEGETABLES- VALUE A": "frozen vegetable dish, boxed",
    "FRZN BAGGED VEGETABLES- VALUE": "frozen vegetable dish, bagged",
    "FRZN NOVELTIES/WTR ICE": "frozen novelties",
    "GARBAGE KITCHEN COMPACTOR BA": "kitchen & garbage bags",
    "GIFT-WRAP EVERYDAY": "gift wrap",
    "ICE CREAM/MILK/SHERBTS": "ice cream & sherbet",
    "INSTANT COFFEE FLAVORED NO SWE": "instant flavored coffee",
    "INSTANT COFFEE FLAVORED W/SWEE": "instant flavored coffee, sweetened",
    "IWS SINGLE CHEESE": "wrapped cheese slices",
    "MEAT-PCKGD": "packaged meat",
    "SEAFOOD-PCKGD": "packaged seafood",
    "MISCELLANEOUS H & B AIDS": "health & beauty aids",
    "MUSHROOMS W/WHOLE PKG": "whole white mushrooms",
    "NON-CRBNTD DRNKING/MNERAL WATE": "still drinking water",
    "NON-CARB FLVRD DRNKNG/MNRL WAT": "still flavored water",
    "NON-CARB WATER FLVR - DRNK/MNR": "still flavored water",
    "PIZZA/ECONOMY": "economy pizza",
    "PIZZA/PREMIUM": "premium pizza",
    "PIZZA/TRADITIONAL": "pizza",
    "PLASTIC/HEAVY PAPER PREM PLATE": "premium plates",
    "PLSTC CTLRYTBLCLTHSTTHPKSST": "plastic cutlery & tablecloths",
    "RTS SOUP: CHUNKY/HOMESTYLE ET": "chunky & homestyle soup",
    "SEASONAL CANDY BAGS NON-CHOCOL": "seasonal candy bags",
    "SEASONAL CANDY BOX NON-CHOCOLA": "seasonal candy box",
    "SEMI-SOLID SALAD DRESSING MAY": "mayonnaise & creamy dressing",
    "SFT DRNK 2 LITER BTL CARB INCL": "soft drink, large bottle",
    "SFT DRNK MLT-PK BTL CARB (EXCP": "soft drink, bottles in a pack",
    "SFT DRNK SNGL SRV BTL CARB (EX": "soft drink, small bottle",
    "SOFT DRINK BOTTLE NON-CARB (EX": "soft drink without bubbles, bottle",
    "SOFT DRINKS 12/18&15PK CAN CAR": "soft drink, 12 to 18 cans",
    "SOFT DRINKS 20PK&24PK CAN CARB": "soft drink, 20 to 24 cans",
    "SOFT DRINKS 6PK/4PK CAN CARB (": "soft drink, 4 to 6 cans",
    "SOFT DRINKS CAN NON-CARB (EXCE": "soft drink without bubbles, can",
    "SGL SV/VEND MACH SNACKS CHIP/P": "single-serve chips & snacks",
    "VINEGAR ALL-EXCEPT WINE/RIC": "vinegar",
    "YOGURT MULTI-PACKS": "yogurt, multi-pack",
    "YOGURT NOT MULTI-PACKS": "yogurt",
}
#: What a word of a label stands for; an empty word is dropped.
_WORDS: Final = {
    word: meaning
    for line in [
        "ACCESS=accessories",
        "ALC=alcohol",
        "AUTO=automatic",
        "BBQ=BBQ",
        "BEV=beverage",
        "BG=bags",
        "BKD=baked",
        "BN=beans",
        "BRD=breaded",
        "BREADERS=breading",
        "BRKFST=breakfast",
        "BTL=bottle",
        "BTLS=bottles",
        "BTR=butter",
        "CAR=carbonated",
        "CARB=carbonated",
        "CATFD=cat_food",
        "CATSUP=ketchup",
        "CHECKLANE=checkout",
        "CHICK=chicken",
        "CHIX=chicken",
        "CHOC=chocolate",
        "CHOCOCLATE=chocolate",
        "CHOCOL=chocolate",
        "CHOCOLA=chocolate",
        "CIG=cigarette",
        "CKE=cake",
        "CKYS=cookies",
        "CLEANE=cleaner",
        "CLEANG=cleaning",
        "CND=canned",
        "CNDY=candy",
        "CNTRL=control",
        "COCO=cocoa",
        "COFF=coffee",
        "COMBIN=combination",
        "CONC=concentrate",
        "CONTAINR=containers",
        "COOKI=cookies",
        "CRACKE=crackers",
        "CRBNTD=carbonated",
        "CRKR=crackers",
        "CRMD=creamed",
        "CRYSTL=crystal",
        "DAN=Danish",
        "DECAF=decaf",
        "DECAFFINATED=decaffeinated",
        "DECORS=decorations",
        "DEPT=department",
        "DISPOSIBLE=disposable",
        "DISHWASH=dishwashing",
        "DNR=dinner",
        "DNRS=dinners",
        "DOGFD=dog_food",
        "DPS=dips",
        "DRESSING/C=dressing",
        "DRNK=drink",
        "DRNKING=drinking",
        "DRNKNG=drinking",
        "DRNKS=drinks",
        "DRP=drops",
        "DRSNG=dressing",
        "DSH=dish",
        "DVD=DVD",
        "DZ=dozen",
        "EVERYDAY=everyday",
        "EX=",
        "EXACT=",
        "EXCP=",
        "EXCEPT=",
        "FD=food",
        "FDS=food",
        "FEM=feminine",
        "FLAV=flavored",
        "FLVR=flavored",
        "FLVRD=flavored",
        "FRD=fried",
        "FRE=fresh",
        "FRY=fry",
        "FRZ=frozen",
        "FRZN=frozen",
        "FS=French-style",
        "GDS=goods",
        "GM=general_merchandise",
        "GRND=ground",
        "H=hot",
        "HBC=care",
        "HYGN=hygiene",
        "INCL=",
        "INCLUDI=",
        "INCLUDING=",
        "INGRED=ingredients",
        "INSTORE=in-store",
        "IQF=loose",
        "JCE=juice",
        "JHOOK=",
        "JUI=juice",
        "JUIC=juice",
        "KLR=killer",
        "LINAMENTS=liniments",
        "LIPCARE=lip_care",
        "LIQ=liquid",
        "LIQS=liquids",
        "LOAVE=loaves",
        "LOZNG=lozenges",
        "LSS=less",
        "LTR=lighter",
        "MACH=",
        "MARIN=marinade",
        "MENS=men's",
        "MFG=manufacturer",
        "MISC=miscellaneous",
        "MIXS=mixes",
        "MLK=milk",
        "MLT=multi",
        "MNERAL=mineral",
        "MNR=mineral",
        "MNRL=mineral",
        "MONODOSE=tablets",
        "MULT=multi",
        "MW=microwave",
        "MX=mix",
        "MXS=mixes",
        "NDAIRY=non-dairy",
        "NOVELTIES=novelty",
        "NZ=New_Zealand",
        "O=orange",
        "OCCAS=occasion",
        "OJ=orange_juice",
        "OTH=other",
        "OTHE=other",
        "PAC=pack",
        "PACKGD=packaged",
        "PCKGD=packaged",
        "PK=pack",
        "PKG=packaged",
        "PKGD=packaged",
        "PKLD=pickled",
        "PICKLD=pickled",
        "PKT=packet",
        "PLSTC=plastic",
        "PNCH=punch",
        "PNT=peanut",
        "PORT=portion",
        "PORTON=portions",
        "PPK=packed",
        "PRE=pre",
        "PREM=premium",
        "PREP=prepared",
        "PREPACK=packed",
        "PREPORTND=portioned",
        "PRESLC=sliced",
        "PROD=produce",
        "PROTIEN=protein",
        "PRPCK=packed",
        "PRSLC=sliced",
        "PWDR=powder",
        "PWDRS=powders",
        "REFIGERATED=refrigerated",
        "REFRGRATD=refrigerated",
        "REFRIG=refrigerated",
        "REG=regular",
        "RTD=ready-to-drink",
        "RTS=ready-to-serve",
        "RW=raw",
        "SAL=salad",
        "SALD=salad",
        "SALTICE=salt",
        "SAUCESSALSAPICANTEE=salsa",
        "SAUS=sausage",
        "SCE=sauce",
        "SECT=sections",
        "SFT=soft",
        "SGL=single",
        "SHERBTS=sherbet",
        "SHLFSH=shellfish",
        "SNDWCH=sandwich",
        "SNGL=single",
        "SNKS=snacks",
        "SPECILATY=specialty",
        "SPLY=supplies",
        "SPRD=spread",
        "SRV=serve",
        "SS=single-serve",
        "STK=stick",
        "SUBS=substitutes",
        "SUP=super",
        "SUPP=supplement",
        "SUPPLEMEN=supplements",
        "SUPPPLIES=supplies",
        "SV=serve",
        "SW=sweet",
        "SWE=",
        "SWT=sweet",
        "SWEETNERS=sweeteners",
        "SYRP=syrup",
        "THN=than",
        "TISS=tissue",
        "TORT=tortilla",
        "TOSTADO=tostada",
        "TRSH=trash",
        "TTHPKSST=",
        "TV=TV",
        "UP=up",
        "VAC=vacuum",
        "VEG=vegetable",
        "VEND=vending",
        "W=with",
        "WAFER=wafers",
        "WAT=water",
        "WATE=water",
        "WHL=whole",
        "WHLSM=wholesome",
        "WINTER=winter",
        "WOMENS=women's",
        "WORCHESTER=Worcestershire",
        "WRA=wraps",
        "WT=",
        "WTR=water",
        "XPCTRNT=",
        "HANDKE=handkerchiefs",
        "SANDWIC=sandwiches",
        "CLU=",
        "BR=bread",
        "LINCHEON=luncheon",
        "PARTLY=",
        "ALPO=",
        "PUR=",
        "MEATBALL=meatballs",
        "CTN=carton",
        "NAILCARE=nail_care",
        "HYDROCORTIZONE=hydrocortisone",
        "LOREAL=L'Oréal",
        "COVERGIRL=CoverGirl",
        "MAYBELLINE=Maybelline",
        "REVLON=Revlon",
        "SALLY=Sally",
        "HANSEN=Hansen",
        "LEGGS=L'eggs",
        "FRENCH=French",
        "ITALIAN=Italian",
        "MEXICAN=Mexican",
        "HISPANIC=Hispanic",
        "ORIENTAL=Oriental",
        "JAPANESE=Japanese",
        "CHRISTMAS=Christmas",
        "EASTER=Easter",
        "HALLOWEEN=Halloween",
        "VALENTINE=Valentine",
        "ENGLISH=English",
        "AMERICAN=American",
        "AUSTRALIAN=Australian",
        "ANGUS=Angus",
        "FUJI=Fuji",
        "GALA=Gala",
        "GRANNY=Granny",
        "SMITH=Smith",
        "BRAEBURN=Braeburn",
        "BARTLETT=Bartlett",
        "ANJOU=Anjou",
        "ROMA=Roma",
        "RUSSET=russet",
        "VIENNA=Vienna",
        "BRUSSEL=Brussels",
        "SPF=SPF",
        "DXM=DXM",
        "PSE=PSE",
    ]
    for word, _, meaning in [line.partition("=")]
}
#: Labels made of these words alone say nothing without their category.
_VAGUE: Final = frozenset(
    [
        "ALL",
        "AND",
        "BAG",
        "BULK",
        "CHOICE",
        "COLD",
        "DAIRY",
        "DELUXE",
        "DRY",
        "ECONOMY",
        "ENHANCED",
        "EVERYDAY",
        "FLAVORED",
        "FRESH",
        "FROZEN",
        "HOT",
        "IMPORTED",
        "INTERNAL",
        "JUMBO",
        "LEAN",
        "LIGHT",
        "LOOSE",
        "MAIN",
        "MAINSTREAM",
        "MEDIUM",
        "MISC",
        "MISCELLANEOUS",
        "MIXED",
        "NATURAL",
        "NON",
        "NOVELTY",
        "ORGANIC",
        "OTHER",
        "GARDEN",
        "PACKAGED",
        "PINTS",
        "PLAIN",
        "PLUS",
        "POPULAR",
        "PREMIUM",
        "PRIMAL",
        "RED",
        "REGULAR",
        "SEASONAL",
        "SELECT",
        "SINGLE",
        "SINGLES",
        "SMALL",
        "SPECIALTY",
        "STANDARD",
        "STICKS",
        "ENROBED",
        "SUPER",
        "TRADITIONAL",
        "VALUE",
        "VARIETY",
        "WHITE",
        "WHOLE",
        "MULTI",
        "PACK",
        "BLENDS",
        "REFRIGERATED",
        "PROCESSED",
        "PATTIES",
        "CONVENTIONAL",
        "DECOR",
        "ACCESSORIES",
        "KITS",
        "SUPPLIES",
        "SETS",
    ]
)
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
    words = [_WORDS.get(word, word.lower()).replace("_", " ") for word in re.findall(r"[^\s.]+", thing)]
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
