"""The shop's export: where it is, how it is written, and what its columns and values mean.

One section of the settings; ``settings`` puts them together and says where they are read.
"""

import re
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from functools import cached_property
from string import Formatter
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WrapValidator, field_validator, model_validator

from damo_tryon.contract import url_problem
from tryon_catalogue.settings.clothes import pattern_of
from tryon_catalogue.settings.shops import SHOPS, with_preset
from tryon_catalogue.settings.types import (
    Delimiter,
    Encoding,
    Name,
    Names,
    OneOrMore,
    OptionalName,
    PathTemplate,
    Section,
)
from tryon_catalogue.urls import canonical_url

_GLOB: Final = re.compile(r"[*?\[]")
AUTO: Final = "auto"
"""What is not set but found out from the file."""


def _auto_or_checked(value: object, check: Callable[[object], str]) -> str:
    return AUTO if value == AUTO else check(value)


def _check_shop(name: object) -> object:
    if isinstance(name, str) and name and name not in SHOPS:
        raise ValueError(f"one of {', '.join(SHOPS)} is expected")
    return name


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _check_root(root: str) -> str:
    place = root.rstrip("/")
    if not place or ".." in place.split("/") or place.endswith(":"):
        raise ValueError("a folder or the URL of a bucket or of a folder in it is expected, and no ..")
    return place


AutoDelimiter = Annotated[Delimiter, WrapValidator(_auto_or_checked)]
Values = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Root = Annotated[str, AfterValidator(_check_root)]


class ExportKind(StrEnum):
    """What it means that a garment is not in an export. Nothing is ever taken away because of it."""

    FULL = "full"
    """The shop no longer sells it."""
    INCREMENTAL = "incremental"
    """Nothing has changed about it."""


class Slot(StrEnum):
    """What the picture of a row shows."""

    TOPS = "tops"
    """A top, a dress or a suit's jacket."""
    PANTS = "pants"
    """Trousers or a skirt."""


class ExportColumns(Section):
    """Which column of the export holds what. A part the shop does not have is left out."""

    sku: Name = Field("sku", description="the column with the garment's number")
    category: OneOrMore = Field(
        "category",
        description="the column the casting rules go by, or several: the first that says a category",
    )
    tops_image: Name = Field("tops_image", description="the column with the URL of the top or dress")
    title: OptionalName = Field(None, description="the column with the garment's name for people")
    collection: OptionalName = Field(None, description="the column with the garment's collection")
    tag: OneOrMore | None = Field(
        None,
        description="the column with a tag of the roster, such as gender, or several: the first that says one",
    )
    pants_image: OptionalName = Field(None, description="the column with the URL of the trousers or skirt")
    mask_image: OptionalName = Field(None, description="the column with the URL of a mask of model_image")
    model_image: OptionalName = Field(None, description="the column with the URL of a person to dress")
    priority: OptionalName = Field(
        None, description="the column with a number, the higher the sooner where money is short"
    )

    @field_validator("tag", mode="before")
    @classmethod
    def _blank_is_none(cls, value: object) -> object:
        return None if value == "" else value


class ExportImages(Section):
    """Which of a garment's pictures is used, where the export has several."""

    separator: str = Field("", description="what stands between the URLs in one cell, such as a comma")
    position: OptionalName = Field(None, description="the column with the place of the row's picture")
    more: OneOrMore | None = Field(None, description="the column, or columns, with further pictures' URLs")
    variant: OptionalName = Field(
        None, description="the column with a variant's own picture: each row with a sku is then a garment"
    )
    base_url: OptionalName = Field(None, description="put before each picture that is not a URL by itself")
    tops: int = Field(1, description="the number of the picture to use; -1 for the last")
    pants: int | None = Field(None, description="the number of the picture of the trousers or skirt")

    @model_validator(mode="after")
    def _numbers_are_places(self) -> "ExportImages":
        if 0 in (self.tops, self.pants):
            raise ValueError("pictures are numbered from 1, or from -1 for the last one")
        return self


class ValueRule(Section):
    """What the shop's word for a category or a tag is here. The first that fits counts."""

    field: Literal["category", "tag"] = Field(description="category or tag")
    has: Names = Field(description="one word or a list of them, any of which stands in the value")
    becomes: Name = Field(description="the word of the rules or the roster for it")
    column: OptionalName = Field(None, description="the column to look into; left out: the field's own")
    slot: Slot = Field(Slot.TOPS, description="tops or pants: what the picture of such a row shows")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds one of the words."""
        return pattern_of(self.has)


class RowFilter(Section):
    """Which rows of the export are meant at all. Others are counted and left out."""

    column: Name = Field(description="the column to look into")
    only: Values | None = Field(None, description="the values whose rows are meant")
    except_: Values | None = Field(None, alias="except", description="the values whose rows are left out")
    optional: bool = Field(
        False, description="whether it filters nothing where the export has no such column"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "RowFilter":
        if (self.only is None) == (self.except_ is None):
            raise ValueError("either only or except is expected, and not both")
        return self

    @cached_property
    def left_out(self) -> str:
        """What is told of the rows that it leaves out."""
        values = self.except_ if self.only is None else self.only
        listed = " or ".join(repr(value) for value in values or ())
        return f"{self.column} is {'not ' if self.only is not None else ''}{listed}"

    def keeps(self, value: str) -> bool:
        """Tell whether a row with this value is meant; case and surrounding blanks do not count."""
        if self.only is not None:
            return normal_name(value) in self._only
        return normal_name(value) not in self._except

    @cached_property
    def _only(self) -> frozenset[str]:
        return frozenset(normal_name(value) for value in self.only or ())

    @cached_property
    def _except(self) -> frozenset[str]:
        return frozenset(normal_name(value) for value in self.except_ or ())


class ExportSettings(Section):
    """Where the export of a date is, how it is written, and what it says."""

    path: PathTemplate = Field(description="path or URL of the export, with {ds} or {ds_nodash} for its date")
    request_roots: tuple[Root, ...] = Field(
        (),
        description="folders or s3:// prefixes, beside the one of path, whose exports a run may be asked for",
    )
    shop: Annotated[OptionalName, BeforeValidator(_check_shop)] = Field(
        None, description=f"the program that made it: {', '.join(SHOPS)}"
    )
    kind: ExportKind = Field(ExportKind.FULL, description="full or incremental")
    conn_id: OptionalName = Field(None, description="Airflow connection of the object storage")
    marker: OptionalName = Field(None, description="a file beside the export that says that it is complete")
    encoding: Encoding = Field(AUTO, description='"auto" or the name of an encoding')
    delimiter: AutoDelimiter = Field(AUTO, description='"auto" or the character between two fields')
    quote: Literal["auto", '"', "'", ""] = Field(AUTO, description='"auto", a quotation mark, or "" for none')
    sheet: OptionalName = Field(None, description="the sheet of an Excel workbook; left out: the first")
    header_row: int | None = Field(
        None,
        ge=1,
        description="the line, or Excel's row, of the header; left out: the first that is not blank",
    )
    chunk_rows: int = Field(5000, ge=1, le=1_000_000, description="rows held in memory at once")
    longest_cell: int = Field(1_048_576, ge=1000, le=1 << 30, description="characters of one cell at most")
    longest_line: int = Field(8_388_608, ge=1000, le=1 << 30, description="characters of one row at most")
    held_mb: int = Field(256, ge=1, description="megabytes of a file that are held at once at most")
    unpacked_mb: int = Field(4096, ge=1, description="megabytes of a packed file, unpacked, at most")
    group: OptionalName = Field(None, description="the column whose value the rows of one garment share")
    group_starts: OptionalName = Field(
        None,
        description="the value of group that begins a garment, where the rows below it are of the same one",
    )
    plain_top: OptionalName = Field(None, description="URL of the top that trousers alone are shown with")
    columns: ExportColumns = Field(default_factory=ExportColumns, description="names of the columns")
    images: ExportImages = Field(default_factory=ExportImages, description="which picture is used")
    values: tuple[ValueRule, ...] = Field((), description="the [[export.values]]")
    filters: tuple[RowFilter, ...] = Field((), description="the [[export.filters]]")

    @model_validator(mode="before")
    @classmethod
    def _with_the_preset_of_the_shop(cls, given: Any) -> Any:
        return with_preset(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _the_plain_top_can_be_fetched(self) -> "ExportSettings":
        problem = url_problem(canonical_url(self.plain_top)) if self.plain_top else None
        if problem is not None:
            raise ValueError(f"plain_top = {self.plain_top!r}: the URL {problem}")
        return self

    @cached_property
    def own_root(self) -> str:
        """The folder that the exports of every date lie in, without its last slash; "" for the root of all files."""
        fixed = ""
        for literal, field, *_ in Formatter().parse(self.path):
            fixed += literal
            if field is not None:
                break
        return _GLOB.split(fixed)[0].rpartition("/")[0].rstrip("/")

    @property
    def roots(self) -> tuple[str, ...]:
        """The folders and prefixes whose exports a request may name."""
        return tuple(dict.fromkeys(root for root in (self.own_root, *self.request_roots) if root))

    def path_for(self, day: date) -> str:
        """Give the path or URL of the export of one date."""
        return self.path.format(ds=day.isoformat(), ds_nodash=day.strftime("%Y%m%d"))


def normal_name(name: str) -> str:
    """Give a category or tag as it is compared: people write `Dress`, `dress ` and mean one thing."""
    return name.strip().casefold()


def names_of(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Give one name, several or none as several."""
    return (names,) if isinstance(names, str) else names or ()


def listed(names: str | tuple[str, ...] | None) -> str:
    """Give the names of columns as they stand in a sentence."""
    return ", ".join(names_of(names))
