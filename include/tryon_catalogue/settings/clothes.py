"""The words of shops for kinds of clothes and for whom they are: the `[[export.values]]` of the ready settings."""

import re
from collections.abc import Sequence
from typing import Any, Final

CHILDREN: Final = (
    *("baby & toddler", "toddler", "toddlers", "kids", "kid's", "kids'", "child", "children", "children's"),
    *(
        "childrens",
        "girls",
        "girl's",
        "girls'",
        "boys",
        "boy's",
        "boys'",
        "infant",
        "infants",
        "newborn",
        "newborns",
    ),
    *("童装", "儿童", "kinder", "mädchen", "jungen", "enfant", "enfants", "niños", "niñas", "niño", "niña"),
)
"""Words that say that a garment is for children, who look wrong on the models of grown people."""


def pattern_of(words: Sequence[str]) -> re.Pattern[str]:
    """Make what finds one of the words: whole ones, whatever their case. Chinese words have nothing between them."""
    alternatives = "|".join(re.escape(word.strip()) for word in sorted(words, key=len, reverse=True))
    letter = "0-9A-Za-zÀ-ɏЀ-ӿ"
    return re.compile(f"(?<![{letter}])(?:{alternatives})(?![{letter}])", re.IGNORECASE)


def _category(becomes: str, *has: str, slot: str = "tops") -> dict[str, Any]:
    return {"field": "category", "becomes": becomes, "has": has, "slot": slot}


# Numbers are those of Google's product taxonomy. The order matters: the first that fits counts, so what looks
# like something else by one of its words comes before it.
CLOTHES: Final = (
    # No picture can be made of these; they keep a category of their own, which no rule is for. The first are the other
    # branches of Google's taxonomy: a coat of theirs is one for a dog, and a top one of a table.
    _category(
        "not clothes",
        *("animals & pet supplies", "arts & entertainment", "baby & toddler >", "business & industrial"),
        *("cameras & optics", "electronics >", "food, beverages & tobacco", "furniture", "hardware >"),
        *(
            "health & beauty",
            "home & garden",
            "luggage & bags",
            "media >",
            "office supplies",
            "vehicles & parts",
        ),
        *("religious & ceremonial", "software >", "toys & games", "dress form", "dress forms", "gift card"),
        *("gift cards", "clothing accessories", "shoe accessories", "jewelry"),
    ),
    _category("childrenswear", *CHILDREN),
    _category("underwear", "underwear", "lingerie", "bra", "bras", "underpants", "socks", "hosiery", "213"),
    _category("sleepwear", "sleepwear", "nightwear", "bathrobe", "bathrobes", "bath robe", "bath robes"),
    _category("sleepwear", "dressing gown", "dressing gowns"),
    _category("swimwear", "swimwear", "swimsuit", "swimsuits", "bikini", "bikinis", "211"),
    _category("shoes", "shoe", "shoes", "boots", "sneakers", "187"),
    _category("shirt", "dress shirt", "dress shirts"),
    _category("dress", "dress", "dresses", "gown", "gowns", "jumpsuit", "jumpsuits", "2271", "连衣裙"),
    _category("dress", "kleid", "kleider", "robe", "robes", "vestido", "vestidos", "платье", "платья"),
    _category(
        "jacket", "jacket", "jackets", "coat", "coats", "blazer", "blazers", "outerwear", "5598", "203"
    ),
    _category(
        "jacket", "jacke", "jacken", "mantel", "mäntel", "veste", "vestes", "manteau", "manteaux", "外套"
    ),
    _category("jacket", "chaqueta", "chaquetas", "abrigo", "abrigos", "куртка", "куртки", "пальто", "夹克"),
    _category("sweater", "sweater", "sweaters", "sweatshirt", "sweatshirts", "hoodie", "hoodies", "jumper"),
    _category("sweater", "jumpers", "cardigan", "cardigans", "pullover", "pullovers", "knitwear", "毛衣"),
    _category("sweater", "strickjacke", "pulls", "jersey", "jerséis", "свитер", "свитеры", "худи", "卫衣"),
    _category("tshirt", "t-shirt", "t-shirts", "tshirt", "tshirts", "tee", "tees", "tank", "tanks"),
    _category("tshirt", "camiseta", "camisetas", "футболка", "футболки", "t恤"),
    _category("suit", "suit", "suits", "tuxedo", "1594", "西装"),
    _category("shirt", "shirt", "shirts", "blouse", "blouses", "top", "tops", "polo", "polos", "212", "衬衫"),
    _category("shirt", "hemd", "hemden", "bluse", "blusen", "chemise", "chemises", "chemisier", "chemisiers"),
    _category("shirt", "camisa", "camisas", "blusa", "blusas", "рубашка", "рубашки", "блузка", "блузки"),
    _category(
        "trousers", "trousers", "pants", "jeans", "chinos", "leggings", "shorts", "204", "207", slot="pants"
    ),
    _category(
        "trousers", "hose", "hosen", "pantalon", "pantalons", "pantalones", "брюки", "裤子", slot="pants"
    ),
    _category("skirt", "skirt", "skirts", "1581", "rock", "röcke", "jupe", "jupes", slot="pants"),
    _category("skirt", "falda", "faldas", "юбка", "юбки", "半身裙", slot="pants"),
)
"""What the shop's words for categories are called in the sample's ``[[rules]]``."""

GENDERS: Final = tuple(
    {"field": "tag", "becomes": becomes, "has": has}
    for becomes, has in (
        (
            "women",
            (
                *("women", "women's", "womens", "woman", "female", "ladies", "女", "女装", "damen", "dames"),
                *("femme", "femmes", "mujer", "mujeres", "женщинам", "женское", "женская", "женщины"),
            ),
        ),
        (
            "men",
            (
                *("men", "men's", "mens", "man", "male", "gentlemen", "男", "男装", "herren", "heren"),
                *("homme", "hommes", "hombre", "hombres", "мужчинам", "мужское", "мужская", "мужчины"),
            ),
        ),
    )
)
"""Which tag of the roster the shop's words for whom a garment is are."""
