"""What a run is asked for: which garments, on whom, how many pictures, for how much money, and what is made again.

A person fills it into the form of a run, the REST API or the command line; a night asks for everything by the rules. A
run's parameters come in as plain values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from damo_tryon.contract import MAX_INFERENCE_NUM, MIN_INFERENCE_NUM, FitType
from tryon_catalogue.exports import REQUEST_LINE, Chunk, Garment, Rejection, Rule, printable, read_export
from tryon_catalogue.exports.garments import plain
from tryon_catalogue.ledger.states import ENDED, MAY_BE_RETRIED
from tryon_catalogue.looks import LookState
from tryon_catalogue.settings import normal_name
from tryon_catalogue.settings.types import Name, OptionalName
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from tryon_catalogue.settings import Settings

NOTHING_THERE: Final = "Nothing of what was asked for is in the export"
"""How the problem of a run begins whose request names no row."""
MOST_NAMES: Final = 10
"""Skus or collections that a sentence names."""
MOST_NEAREST: Final = 3
"""Skus of the export that are named for one that it does not have."""
NEAR: Final = 0.7
"""How alike two skus have to be for one to be meant by the other, 1 for the same."""


class RequestError(Exception):
    """A run is asked for what it cannot do; says which value is wrong, and what is expected. Nothing was done."""


class Redo(StrEnum):
    """Which looks that have ended already a run makes, and pays for, again."""

    ALL = "all"
    """Published ones too."""
    FAILED = "failed"
    """Those that failed or were rejected."""
    REVIEWED = "reviewed"
    """Those in review."""

    @property
    def states(self) -> frozenset[LookState]:
        """The states of those looks."""
        return _REDO_STATES[self]


_REDO_STATES: Final[Mapping[Redo, frozenset[LookState]]] = {
    Redo.ALL: frozenset(ENDED),
    Redo.FAILED: frozenset(MAY_BE_RETRIED),
    Redo.REVIEWED: frozenset({LookState.REVIEW}),
}


def _listed(value: object) -> object:
    """A form gives None for an empty list, and a line for each blank one."""
    if value is None:
        return ()
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        # As the export's are read: what no database or log takes is in no name.
        return tuple(dict.fromkeys(plain(name.strip()) for name in value if name.strip()))
    return value


def _is_no_number(value: object) -> object:
    """Python takes True for 1, and a form's amount is exact only as it is written."""
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return str(value) if isinstance(value, float) else value


def _blank(value: object) -> object:
    return None if value == "" else value


Listed = Annotated[tuple[Name, ...], BeforeValidator(_listed)]


class Request(BaseModel):
    """What a run is asked for. Without anything: all of the export, by the rules, as a night does.

    Attributes:
        export: Path or URL of the export; None for the one of the run's date.
        skus: Only these garments; empty for all.
        collections: Only garments of these; empty for all.
        tag: Models with this tag, whatever the rules and the rows say.
        fit_type: In place of the rules'.
        inference_num: Pictures of each look, in place of the rules'.
        budget: The most that the run may cost, in the currency of the price; the settings' own limit still holds.
        dry_run: Whether to say what it would make and cost, and spend nothing.
        redo: Which looks that have ended already are made, and paid for, again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    export: OptionalName = Field(None, description="a path or URL")
    skus: Listed = Field((), description="a list of skus")
    collections: Listed = Field((), description="a list of collections")
    tag: OptionalName = Field(None, description="a tag of a model of the roster")
    fit_type: Annotated[FitType | None, BeforeValidator(_blank)] = Field(
        None, description="HALF_BODY or FULL_BODY"
    )
    inference_num: Annotated[int | None, BeforeValidator(_is_no_number)] = Field(
        None, ge=MIN_INFERENCE_NUM, le=MAX_INFERENCE_NUM, description="a number of pictures from 1 to 4"
    )
    budget: Annotated[Decimal | None, BeforeValidator(_is_no_number)] = Field(
        None, gt=0, allow_inf_nan=False, description="an amount of money above 0"
    )
    dry_run: bool = Field(False, strict=True, description="true or false")
    redo: Annotated[Redo | None, BeforeValidator(_blank)] = Field(None, description="all, failed or reviewed")

    @model_validator(mode="after")
    def _all_is_never_a_whole_export(self) -> Request:
        if self.redo is Redo.ALL and not self.selects:
            raise ValueError(
                "redo = all pays again for what is published: it needs skus or collections, and is refused for a "
                "whole export"
            )
        return self

    @property
    def selects(self) -> bool:
        """Whether it is about some garments of the export only."""
        return bool(self.skus or self.collections)

    @property
    def narrow(self) -> bool:
        """Whether it asks for less, or for something else, than a night: what others left behind is not its own."""
        return bool(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Give what it asks for beside the export as plain values; nothing for what a night asks for."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"export"})

    @property
    def redone_states(self) -> frozenset[LookState]:
        """The states from which looks are made again; none where nothing is."""
        return frozenset() if self.redo is None else self.redo.states

    def settings(self, settings: Settings) -> Settings:
        """Give the settings as this run uses them.

        Raises:
            RequestError: No model of the roster has the tag.
        """
        changes = {
            name: value
            for name in ("tag", "fit_type", "inference_num")
            if (value := getattr(self, name)) is not None
        }
        tags = {tag: None for model in settings.roster.models for tag in sorted(model.tags)}
        if self.tag is not None and normal_name(self.tag) not in map(normal_name, tags):
            raise RequestError(
                f"tag = {self.tag!r}: no model of the roster has it; its tags are {', '.join(tags) or 'none'}."
            )
        rules = tuple(rule.model_copy(update=changes) for rule in settings.rules)
        return self.within_budget(settings.model_copy(update={"rules": rules}))

    def within_budget(self, settings: Settings) -> Settings:
        """Give the settings with the limit of a run lowered to the budget."""
        if self.budget is None:
            return settings
        most = min(self.budget, settings.budget.per_run or self.budget)
        return settings.model_copy(update={"budget": settings.budget.model_copy(update={"per_run": most})})

    def covers(self, garment: Garment | Rejection) -> bool:
        """Whether it is about a garment, or a row that would have been one.

        Args:
            garment: A garment, or why a row is none. A row that is too broken to say whose it is counts where
                collections are asked for: it may belong to one of them.
        """
        if self.skus and garment.sku not in self.skus:
            return False
        if not self.collections:
            return True
        broken = isinstance(garment, Rejection) and garment.rule == Rule.BROKEN_ROW
        return broken or normal_name(garment.collection) in map(normal_name, self.collections)

    def describe(self, currency: str) -> str:
        """Say what it asks for beside the export; empty for what a night asks for."""
        parts = {
            f"only {_list_names(self.skus, 'sku')}": bool(self.skus),
            f"only {_list_names(self.collections, 'collection')}": bool(self.collections),
            f"models tagged {self.tag}": self.tag is not None,
            f"as {self.fit_type}": self.fit_type is not None,
            f"{self.inference_num} pictures a look": self.inference_num is not None,
            f"for {money(self.budget or Decimal(0), currency)} at most": self.budget is not None,
            _REDO_TEXTS.get(self.redo, ""): self.redo is not None,
            "as a dry run, which spends nothing": self.dry_run,
        }
        return "; ".join(text for text, asked in parts.items() if asked)


EVERYTHING: Final = Request()
"""What a night asks for."""

_REDO_TEXTS: Final[Mapping[Redo | None, str]] = {
    Redo.ALL: "made again, published or not",
    Redo.FAILED: "what failed or was rejected is made again",
    Redo.REVIEWED: "what waits for review is made again",
}


def read_request(params: Mapping[str, Any]) -> Request:
    """Read what a run is asked for from its parameters: the form's fields, or the run's configuration.

    Args:
        params: Name -> plain value.

    Raises:
        RequestError: A name is unknown, or a value is not what is expected.
    """
    try:
        return Request.model_validate(dict(params))
    except ValidationError as wrong:
        # Without the cause, whose text repeats every value.
        raise RequestError(" ".join(dict.fromkeys(map(_problem, wrong.errors())))) from None


def read_requested(request: Request, export: str, settings: Settings) -> Iterator[Chunk]:
    """Read the rows of an export that a run is asked for; the others are left out without a count.

    What is asked for and not in the export stands in a last chunk as a rejection.

    Args:
        export: Path or URL.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export at all.
    """
    # What the settings name, or a person with a shell, is not confined.
    roots = None if request.export is None else settings.export.roots
    if not request.selects:
        yield from read_export(export, settings.export, roots)
        return
    skus: set[str] = set()
    collections: set[str] = set()
    for chunk in read_export(export, settings.export, roots):
        rows: list[Garment | Rejection] = [*chunk.garments, *chunk.rejections]
        skus.update(row.sku for row in rows)
        collections.update(normal_name(row.collection) for row in rows)
        garments = tuple(garment for garment in chunk.garments if request.covers(garment))
        rejections = tuple(rejection for rejection in chunk.rejections if request.covers(rejection))
        if garments or rejections:
            yield replace(
                chunk,
                rows=len(garments) + len(rejections),
                garments=garments,
                rejections=rejections,
                further=0,
                left_out={},
            )
    columns = settings.export.columns
    absent = [
        *_absent(Rule.UNKNOWN_SKU, columns.sku, [sku for sku in request.skus if sku not in skus], skus),
        *_absent(
            Rule.UNKNOWN_COLLECTION,
            columns.collection or "collection",
            [name for name in request.collections if normal_name(name) not in collections],
        ),
    ]
    if absent:
        yield Chunk(0, (), tuple(absent))


def nothing_there(request: Request, export: str, settings: Settings) -> str:
    """Say that a request names no row of an export, and what is nearest to what it names.

    Args:
        export: Path or URL.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export at all.
    """
    roots = None if request.export is None else settings.export.roots
    skus: set[str] = set()
    for chunk in read_export(export, settings.export, roots):
        skus.update(garment.sku for garment in chunk.garments)
        skus.update(rejection.sku for rejection in chunk.rejections)
    near = _nearest([sku for sku in request.skus if sku not in skus][:MOST_NAMES], skus)
    return (
        f"{NOTHING_THERE}. The export {export} has no row of what was asked for: "
        f"{request.describe(settings.price.currency)}.{near} Nothing was done; correct the request."
    )


def _absent(rule: Rule, column: str, names: list[str], there: Collection[str] = ()) -> Iterator[Rejection]:
    if names:
        near = _nearest(names[:MOST_NAMES], there)
        reason = (
            f"The run was asked for {_list_names(names, column)}, and the export has no row of "
            f"{'it' if len(names) == 1 else 'them'}.{near} Correct the request, or the export."
        )
        yield Rejection(REQUEST_LINE, "", rule, column, ", ".join(names), reason)


def _nearest(names: Sequence[str], there: Collection[str]) -> str:
    """Name what the export has that is written much the same, whatever its case."""
    written = {name.casefold(): name for name in sorted(there) if name}
    found = (
        match
        for name in names
        for match in get_close_matches(name.casefold(), written, MOST_NEAREST, cutoff=NEAR)
    )
    nearest = list(dict.fromkeys(written[match] for match in found))
    return f" Nearest in the export: {', '.join(nearest)}." if nearest else ""


def _list_names(names: tuple[str, ...] | list[str], what: str) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{what}{'' if len(names) == 1 else 's'} {', '.join(names[:MOST_NAMES])}{more}"


def _problem(wrong: Any) -> str:
    """Say in a sentence what is wrong with one value, and what is expected."""
    if not wrong["loc"]:
        return f"{wrong['ctx']['error']}."
    name = str(wrong["loc"][0])
    field = Request.model_fields.get(name)
    if field is None:
        return f"{name}: a run cannot be asked for that; there are {', '.join(Request.model_fields)}."
    return f"{name} = {printable(repr(wrong['input']))}: {field.description} is expected."
