"""What the rows of a file mean: which are meant at all, and what their values are here.

From tables with the file's columns to tables with ours.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from tryon_catalogue.exports.image_cells import completer, is_error, pictures_of
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Tables
from tryon_catalogue.exports.text import BrokenRow
from tryon_catalogue.exports.together import joined_tables
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.clothes import CHILDREN, pattern_of
from tryon_catalogue.settings.export import Slot, ValueRule, names_of
from tryon_catalogue.urls import canonical_url

_PLAIN_FIELDS: Final = ("sku", "title", "collection", "mask_image", "priority")
_MEMORY: Final = 100_000
_FOR_CHILDREN: Final = pattern_of(CHILDREN)


@dataclass(frozen=True, slots=True)
class Mapped:
    """Some rows of a file as garments.

    Attributes:
        lines: As of `Table`, of the first row of each garment.
        frame: Text, one column for each field of `ExportColumns`, and ``slot``, ``pictures`` and ``for_children``: what
            the garment's picture shows, how many pictures it has, and the word by which it is one for children.
        further: Rows that belong to the garment of an earlier row.
        left_out: What a filter says -> rows it left out.
    """

    lines: Sequence[int]
    frame: pd.DataFrame
    broken: Sequence[BrokenRow]
    further: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def mapped_tables(file: ExportFile, tables: Tables, settings: ExportSettings) -> Iterator[Mapped]:
    """Give the garments of a file's rows.

    Raises:
        ExportError: So many rows belong together that the column they share cannot be a garment's number.
    """
    translate = {name: Translator(name, settings) for name in ("category", "tag")}
    for joined in joined_tables(file, tables, settings):
        frame, left_out = joined.table.frame, Counter[str]()
        sizes = pd.Series(joined.sizes, index=frame.index, dtype="int64")
        for rule in settings.filters:
            if rule.column not in frame:
                continue
            # Few values stand in many rows.
            kept_values = {value: rule.keeps(value) for value in frame[rule.column].unique()}
            kept = frame[rule.column].map(kept_values).astype(bool)
            if not kept.all():
                left_out[rule.left_out] += int(sizes[~kept].sum())
                frame, sizes = frame[kept], sizes[kept]
        lines = [joined.table.lines[at] for at in frame.index]
        further = int(sizes.sum()) - len(sizes)
        ours = _ours(frame, settings, translate)
        yield Mapped(lines, ours, joined.table.broken, further, left_out)


def _ours(
    frame: pd.DataFrame, settings: ExportSettings, translate: Mapping[str, "Translator"]
) -> pd.DataFrame:
    """Give a frame of the file's columns as one of our fields."""
    blank = [""] * len(frame)

    def column(name: str | None) -> list[str]:
        return blank if name is None or name not in frame else frame[name].tolist()

    columns = {name: column(getattr(settings.columns, name)) for name in _PLAIN_FIELDS}
    for name in ("title", "collection"):
        columns[name] = _without_errors(columns[name])
    columns["category"], slots = translate["category"](frame)
    columns["tag"], _ = translate["tag"](frame)
    images = settings.images
    whole = completer(images.base_url)
    further = [column(name) for name in names_of(images.more)]
    more = ["\n".join(cells) for cells in zip(*further, strict=True)] if further else blank
    pictures = pictures_of(column(settings.columns.tops_image), more, images)
    of_row = [_pick(urls, images.tops) for urls in pictures]
    of_pants = [_pick(urls, images.pants) for urls in pictures] if images.pants else blank
    pants = [
        (urls[0] if urls else "") or other
        for urls, other in zip(
            pictures_of(column(settings.columns.pants_image), blank, images), of_pants, strict=True
        )
    ]
    shows_pants = [slot is Slot.PANTS for slot in slots]
    plain_top = canonical_url(settings.plain_top or "")
    columns["tops_image"] = [
        plain_top if alone else whole(url) for alone, url in zip(shows_pants, of_row, strict=True)
    ]
    columns["pants_image"] = [
        whole(url if alone else other) for alone, url, other in zip(shows_pants, of_row, pants, strict=True)
    ]
    for name in ("model_image", "mask_image"):
        found = pictures_of(column(getattr(settings.columns, name)), blank, images)
        columns[name] = [whole(urls[0]) if urls else "" for urls in found]
    columns["slot"] = [slot.value for slot in slots]
    columns["pictures"] = [str(len(urls)) for urls in pictures]
    looked_into = dict.fromkeys(
        (
            *names_of(settings.columns.category),
            *names_of(settings.columns.tag),
            *names_of(settings.columns.title),
        )
    )
    columns["for_children"] = _for_children([column(name) for name in looked_into], len(frame))
    return pd.DataFrame(columns, dtype=object)


def _without_errors(values: list[str]) -> list[str]:
    return ["" if value[:1] == "#" and is_error(value) else value for value in values]


def _for_children(columns: Sequence[Sequence[str]], rows: int) -> list[str]:
    """Give the word of each row by which a garment is one for children; "" where there is none."""
    words = [""] * rows
    for values in columns:
        together = "\n".join(values).casefold()
        if not any(word in together for word in CHILDREN):
            continue  # most exports have no such word, and looking for words as they are is quickest
        for at, value in enumerate(values):
            found = _FOR_CHILDREN.search(value) if value and not words[at] else None
            if found:
                words[at] = found[0]
    return words


class Translator:
    """Gives the words of the rules for the shop's words, and remembers those it has seen.

    The columns of a field are tried in their order: the first in which a rule fits counts.

    Args:
        name: The field: category or tag.
    """

    def __init__(self, name: str, settings: ExportSettings) -> None:
        self._columns = names_of(getattr(settings.columns, name))
        self._rules = [rule for rule in settings.values if rule.field == name]
        # Where no rule fits, a category stays what it is called. Tags are no category.
        tags = names_of(settings.columns.tag)[:1]
        self._own = [column for column in self._columns if column not in tags] if name == "category" else []
        self._own = self._own or list(self._columns[:1])
        self._any = pattern_of(sorted({word for rule in self._rules for word in rule.has} or {"\0"}))
        self._by_column: dict[str | None, list[ValueRule]] = {}
        for rule in self._rules:
            self._by_column.setdefault(rule.column, []).append(rule)
        self._seen: dict[tuple[str, ...], tuple[str, Slot]] = {}

    def __call__(self, frame: pd.DataFrame) -> tuple[list[str], list[Slot]]:
        """Give the words for a frame's rows, and what the rows' pictures show."""
        named = list(dict.fromkeys((*self._columns, *(name for name in self._by_column if name is not None))))
        there = [name for name in named if name in frame]
        if len(self._seen) > _MEMORY:
            self._seen.clear()
        found = []
        rows = zip(*(frame[name].tolist() for name in there), strict=True) if there else ((),) * len(frame)
        for row in rows:
            word = self._seen.get(row)
            if word is None:
                word = self._seen[row] = self._translated(dict(zip(there, row, strict=True)))
            found.append(word)
        return [word for word, _ in found], [slot for _, slot in found]

    def _translated(self, row: Mapping[str, str]) -> tuple[str, Slot]:
        for column in self._columns or (None,):
            value = row.get(column or "", "")
            if not self._any.search(value) and not any(self._by_column.keys() - {None}):
                continue  # quicker than each rule's own words
            for rule in self._rules:
                if rule.pattern.search(row.get(rule.column, "") if rule.column else value):
                    return rule.becomes, rule.slot
        stays = next((row[column] for column in self._own if row.get(column)), "")
        return ("" if is_error(stays) else stays), Slot.TOPS


def _pick(urls: Sequence[str], number: int) -> str:
    at = number - 1 if number > 0 else number
    return urls[at] if -len(urls) <= at < len(urls) else ""
