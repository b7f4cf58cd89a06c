"""A first mapping for an export that nobody has described: which shop made it, and which column is what, and why.

A column is known by its name, and by what stands in it. What cannot be known is left for a person to decide.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from tryon_catalogue.exports.columns import find_columns, shop_of
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.formats import read_header, read_tables
from tryon_catalogue.exports.mapping import Translator
from tryon_catalogue.exports.places import ExportFile, export_files
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.aliases import plain_name
from tryon_catalogue.settings.clothes import CLOTHES, GENDERS, pattern_of
from tryon_catalogue.settings.export import names_of
from tryon_catalogue.settings.shops import OTHER

_ROWS: Final = 2_000
"""Rows that are looked at."""
_HEADER_ROWS: Final = 10
_MOST: Final = 0.5
"""Share of the filled cells from which on they say what a column is."""
_PICTURE: Final = re.compile(r"(?:https?:)?//\S+|\S.*\.(?:jpe?g|png|webp)", re.IGNORECASE)
_IS_URL: Final = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_PAGE: Final = re.compile(r"(?:https?:)?//\S+\.(?:html?|php)$", re.IGNORECASE)
_CLOTHES: Final = pattern_of([word for rule in CLOTHES[1:] for word in rule["has"] if not word.isdigit()])
_GENDERS: Final = pattern_of([*(word for rule in GENDERS for word in rule["has"]), "unisex"])
_SEPARATORS: Final = ("|", ";", ",", " ")

# What people and programs call them, the likeliest first; compared as `plain_name` writes them.
_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "sku": (
        *(
            "sku",
            "article_number",
            "article_no",
            "item_number",
            "item_no",
            "style_number",
            "style_no",
            "style_code",
        ),
        *(
            "product_code",
            "product_sku",
            "variant_sku",
            "model_number",
            "code",
            "reference",
            "ref",
            "asin",
            "handle",
        ),
        *(
            "artikelnummer",
            "artikelnr",
            "référence",
            "referencia",
            "артикул",
            "货号",
            "款号",
            "编号",
            "商品番号",
        ),
        *("product_id", "item_id", "article_id", "uniq_id", "uid", "id"),
    ),
    "tops_image": (
        *(
            "image_url",
            "image_link",
            "image_src",
            "main_image",
            "base_image",
            "front_image",
            "picture_url",
            "photo_url",
        ),
        *(
            "img_url",
            "image_1",
            "image1",
            "image",
            "images",
            "img",
            "picture",
            "photo",
            "bild",
            "bilder",
            "изображение",
        ),
        *("image_urls", "primary_image_url", "thumbnail", "图片", "主图", "画像", "link"),
    ),
    "category": (
        *(
            "category",
            "product_type",
            "article_type",
            "subcategory",
            "sub_category",
            "product_category",
            "type",
        ),
        *("product_type_name", "category_name", "categories", "class", "product_group", "department", "dept"),
        *("kategorie", "catégorie", "categoría", "категория", "类目", "分类", "品类", "カテゴリー"),
    ),
    "tag": (
        *(
            "gender",
            "target_gender",
            "sex",
            "audience",
            "geschlecht",
            "genre",
            "sexo",
            "género",
            "пол",
            "性别",
        ),
        *("index_group_name", "division", "department", "dept", "section", "tags"),
    ),
    "title": (
        *("title", "product_title", "name", "product_name", "product_display_name", "item_name", "prod_name"),
        *("bezeichnung", "nom", "nombre", "название", "名称", "标题", "商品名", "label", "description"),
    ),
    "collection": (
        "collection",
        "collection_name",
        "season",
        "kollektion",
        "saison",
        "коллекция",
        "系列",
        "季节",
    ),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A column that is taken for something.

    Attributes:
        part: What for, as in `[export.columns]`.
        column: As the file has it.
        why: By its name, by its content.
        example: A value of it.
    """

    part: str
    column: str
    why: str
    example: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A first `[export]` section for a file.

    Attributes:
        shop: The program that it looks like; ``other`` for none.
        section: What to write under [export]; its columns and images are sections of their own.
        choices: Which column is what.
        categories: The shop's word, what it becomes -> rows among those that were looked at.
        open_points: What is left to decide, in sentences.
        notes: How the file is read, in sentences without their full stop.
        rows: How many were looked at.
    """

    shop: str
    section: Mapping[str, Any]
    choices: Sequence[Choice]
    categories: Counter[tuple[str, str]]
    open_points: Sequence[str]
    notes: Sequence[str] = field(default=())
    rows: int = 0


def suggest(path: str, settings: ExportSettings) -> Suggestion:
    """Suggest a mapping for an export.

    Args:
        path: Of a file, or a pattern of several: the first is looked at.
        settings: How the file is written, where that is set; what they say of columns does not count.

    Raises:
        ExportError: There is no such file, or it is no table.
    """
    file = export_files(path, settings.conn_id, None)[0]
    written = {name: getattr(settings, name) for name in ("encoding", "delimiter", "quote", "sheet")}
    header_row, header = _header(file, written)
    section: dict[str, Any] = {} if header_row is None else {"header_row": header_row}
    frame = _sample(file, header, {**written, **section})
    shop = shop_of(header)
    if shop is None:
        shop, choices = OTHER, _choices(frame)
        section |= {"shop": OTHER, "columns": {choice.part: choice.column for choice in choices}}
        section |= _own_section(frame, section["columns"])
    else:
        section["shop"] = shop
        choices = _of_preset(frame, header, shop)
    open_points = list(_open_points(frame, section, choices))
    categories: Counter[tuple[str, str]] = Counter()
    if {"sku", "category", "tops_image"} <= {choice.part for choice in choices}:
        made = ExportSettings.model_validate({"path": "-", **section})
        found = find_columns(header, made)
        named = frame.rename(columns={header[at]: name for name, at in found.items()})
        named = named.loc[:, ~named.columns.duplicated()]
        words, _ = Translator("category", made)(named)
        raw = next(named[name] for name in names_of(made.columns.category) if name in named)
        categories = Counter((own, word) for own, word in zip(raw, words, strict=True) if own or word)
    notes = [note for note in file.notes if "encoding" in note]
    return Suggestion(shop, section, choices, categories, open_points, notes, len(frame))


def _header(file: ExportFile, written: Mapping[str, Any]) -> tuple[int | None, list[str]]:
    """Give the row of the header where it is not the first, and its names."""
    known = {plain_name(name) for names in _NAMES.values() for name in names}
    best: tuple[int, int | None, list[str]] = (-1, None, [])
    for row in (None, *range(2, _HEADER_ROWS + 1)):
        try:
            header = read_header(
                file, ExportSettings.model_validate({"path": "-", **written, "header_row": row})
            )
        except ExportError:
            if row is None:
                raise
            break
        score = len(known & set(map(plain_name, header))) + (100 if shop_of(header) else 0)
        # Blank lines lead to the header below them: it is on the last line that gives the same one.
        if score > best[0] or (row is not None and best[1] is not None and header == best[2]):
            best = (score, row, header)
        elif best[0] > 1:
            break
    return best[1:]


def _sample(file: ExportFile, header: Sequence[str], written: Mapping[str, Any]) -> pd.DataFrame:
    """Give the first rows with every column that has a name of its own."""
    counts = Counter(header)
    names = tuple(name for name in counts if name and counts[name] == 1)
    if not names:
        raise ExportError(file, "has no header: no column has a name of its own")
    columns = {"sku": names[0], "category": names, "tops_image": names[0]}
    settings = ExportSettings.model_validate(
        {"path": "-", **written, "columns": columns, "chunk_rows": _ROWS}
    )
    table = next(iter(read_tables(file, settings)), None)
    return pd.DataFrame(columns=list(names), dtype=object) if table is None else table.frame


def _choices(frame: pd.DataFrame) -> list[Choice]:
    """Choose a column for each part, by names and by what stands in the columns."""
    fits: Mapping[str, tuple[Callable[[pd.Series], float], str]] = {
        "tops_image": (
            _share(lambda value: _PICTURE.fullmatch(value) and not _PAGE.search(value)),
            "pictures",
        ),
        "sku": (_is_number_of_rows, "values that differ in each row"),
        "category": (_share(_CLOTHES.search), "words for clothes"),
        "tag": (_share(_GENDERS.search), "words for women and men"),
        "title": (_share(lambda value: " " in value), "names of several words"),
        "collection": (lambda _: 0.0, ""),
    }
    chosen: list[Choice] = []
    for part, (share_of, content) in fits.items():
        taken = {choice.column for choice in chosen if {part, choice.part} != {"category", "tag"}}
        shares = {str(name): share_of(frame[name]) for name in frame if name not in taken}
        by_name = {plain_name(name): at for at, name in reversed(list(enumerate(_NAMES[part])))}

        def rank(name: str) -> float:
            place = by_name.get(plain_name(name))  # noqa: B023 - it is called in this turn of the loop
            return 0 if place is None else 1 - place / 100

        # A name alone says little where the cells say something else.
        best = max(
            shares, key=lambda name: (shares[name] >= _MOST) + rank(name) + shares[name] / 10, default=None
        )
        if best is None or not (rank(best) or shares[best] >= _MOST):
            continue
        if part in {"title", "collection"} and not rank(best):
            continue
        reasons = ["its name"] if rank(best) else []
        if shares[best]:
            reasons.append(f"{shares[best]:.0%} of its cells are {content}")
        chosen.append(Choice(part, best, " and ".join(reasons), _example(frame[best])))
    return chosen


def _share(fits: Callable[[str], object]) -> Callable[[pd.Series], float]:
    def share(values: pd.Series) -> float:
        filled = [value for value in values if value]
        return sum(bool(fits(value)) for value in filled) / len(filled) if filled else 0.0

    return share


def _is_number_of_rows(values: pd.Series) -> float:
    """Give how far a column differs in each row, without blanks in it; an address or a sentence is no number."""
    short = [
        value for value in values if value and len(value) <= 60 and " " not in value and "/" not in value
    ]
    return len(set(short)) / len(values) if len(values) else 0.0


def _example(values: pd.Series) -> str:
    return next((value for value in values if value), "")


def _own_section(frame: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, Any]:
    """Give what has to be said of rows and pictures, where the columns are one's own."""
    section: dict[str, Any] = {}
    if "sku" in columns:
        skus = [value for value in frame[columns["sku"]] if value]
        if len(set(skus)) < len(skus):
            section["group"] = columns["sku"]
    if "tops_image" in columns:
        cells = list(frame[columns["tops_image"]])
        separator = next((sign for sign in _SEPARATORS if any(_several(cell, sign) for cell in cells)), None)
        if separator is not None:
            section["images"] = {"separator": separator}
    return section


def _several(cell: str, separator: str) -> bool:
    return re.search(rf"\S\s*{re.escape(separator)}\s*(?:https?:)?//", cell) is not None


def _of_preset(frame: pd.DataFrame, header: Sequence[str], shop: str) -> list[Choice]:
    """Give which columns a ready mapping takes for what."""
    settings = ExportSettings.model_validate({"path": "-", "shop": shop})
    found = find_columns(header, settings)
    return [
        Choice(
            part,
            header[found[name]],
            "its name" if header[found[name]] == name else f"another name for {name}",
            _example(frame[header[found[name]]]) if header[found[name]] in frame else "",
        )
        for part, names in settings.columns
        for name in names_of(names)
        if name in found
    ]


def _open_points(frame: pd.DataFrame, section: Mapping[str, Any], choices: Sequence[Choice]) -> list[str]:
    parts = {choice.part: choice.column for choice in choices}
    points = [
        f"No column is found for {part}, without which nothing can be read: name it in [export.columns]."
        for part in ("sku", "category", "tops_image")
        if part not in parts
    ]
    if "tag" not in parts:
        points.append(
            "No column says for whom a garment is. Name one as tag in [export.columns], or give each of the [[rules]] "
            "a tag."
        )
    picture = parts.get("tops_image")
    if picture in frame and not any(_IS_URL.match(cell) for cell in frame[picture] if cell):
        points.append(
            "The pictures are names of files: set [export.images] base_url to the address that they lie under."
        )
    if "group" in section:
        points.append(
            f"Several rows share a {section['group']}: they are taken for one garment. Take group out where each row "
            "is one."
        )
    return points
