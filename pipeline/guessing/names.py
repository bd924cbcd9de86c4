"""Words in names of columns, which say more about a column than its values do."""

from __future__ import annotations

import re

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^0-9A-Za-z]+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


USER_WORDS = _set(
    "user uid userid member customer visitor reviewer account buyer viewer"
)
ITEM_WORDS = _set(
    "item items iid itemid ad ads adv adid advert creative doc docs document product "
    "products sku article news video asin goods movie song listing content post "
    "offer"
)
ID_WORDS = _set("id ids key uuid guid")
# Of values that only name something.
CATEGORY_WORDS = _set(
    "code type cat category categories group class slot device os browser city region "
    "country state gender sex segment section channel brand tier model lang language "
    "hour weekday dow placement page app site publisher campaign advertiser seller "
    "shop zip carrier network version flag is has topic topics interest interests tag "
    "tags"
)
COUNT_WORDS = _set(
    "count counts cnt num number times impressions clicks views visits orders age day "
    "days hours minutes seconds total quantity qty freq frequency length"
)
RATE_WORDS = _set(
    "rate ctr cvr ratio share score prob probability pct percent fraction"
)
TIME_WORDS = _set("time timestamp ts date datetime dt et day created at when epoch pt")
# Best first.
LABEL_WORDS = (
    "click",
    "clicked",
    "clk",
    "isclick",
    "label",
    "target",
    "y",
    "converted",
    "conversion",
    "purchased",
    "rating",
    "rate",
    "stars",
)
# Of what a request says: where and when something is shown.
CONTEXT_WORDS = _set(
    "slot section placement page device os browser hour weekday dow network carrier "
    "app site context request"
)
# Prefixes by which logs tell what a column describes.
SIDE_PREFIXES = {"u": "user", "i": "item", "e": "context", "c": "context"}


def words(name: str) -> tuple[str, ...]:
    """Returns the words of a column's name, in lower case.

    Example:
        >>> words("u_newsCatInterests")
        ('u', 'news', 'cat', 'interests')
    """
    spaced = _CAMEL.sub(" ", _SEPARATORS.sub(" ", name))
    return tuple(spaced.lower().split())


def core(name: str) -> frozenset[str]:
    """Returns the words of a name without those that say whose property it is.

    Example:
        >>> sorted(core("adv_ageDays")), sorted(core("u_group"))
        (['age', 'days'], ['group'])
    """
    found = [word for word in words(name) if word not in SIDE_PREFIXES]
    whose = USER_WORDS | ITEM_WORDS
    return frozenset(word for word in found if word not in whose) or frozenset(found)


def feature_name(column: str) -> str:
    """Returns a column's name as that of a feature: lower case, with underscores.

    Example:
        >>> feature_name("u_newsCatInterests"), feature_name("2nd price")
        ('news_cat_interests', 'f_2nd_price')
    """
    found = list(words(column)) or ["f"]
    if len(found) > 1 and found[0] in SIDE_PREFIXES:
        found = found[1:]
    name = "_".join(found)[:90]
    return name if name[0].isalpha() else f"f_{name}"
