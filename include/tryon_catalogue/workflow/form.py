"""The form of a run: its fields with titles, help and choices, and what is refused before the run begins.

The names are those of ``request.Request``, which reads what was filled in; the JSON schemas refuse at once what can be
told without the export. DAG files import this module: it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Param

from damo_tryon.contract import MAX_INFERENCE_NUM, MIN_INFERENCE_NUM, FitType
from tryon_catalogue.exports.requested import LONGEST, pattern_of
from tryon_catalogue.planning.request import Redo

if TYPE_CHECKING:
    from tryon_catalogue.settings import Settings

# The UI opens one section at a time, and at first the one without a name: what is asked for most stands there.
FIRST, HOW, MONEY, REMAKE = None, "How they are shown", "What it may cost", "Making again"
NOTHING: Final = "None"
"""How the UI knows the words for the choice of nothing."""


def export_field(settings: Settings, empty: str = "the one of the run's date, by the settings") -> Param:
    """Give the field for the export.

    Args:
        empty: What is read where nothing is filled in.
    """
    return _field(
        "string",
        "Export",
        "Path or URL of the export to read, in the folder of `[export] path` or of `[export] request_roots`; or its "
        f"name in the first of them. Empty: {empty}.",
        section=FIRST,
        maxLength=LONGEST,
        pattern=pattern_of(settings.export.roots),
    )


def collections_field() -> Param:
    """Give the field for collections."""
    return _names("Collections", "Only garments of these collections, one a line. Empty: all.")


def on_demand_form(settings: Settings) -> dict[str, Param]:
    """Give every field of the form."""
    tags = sorted({tag for model in settings.roster.models for tag in model.tags})
    price = settings.price
    return {
        "skus": _names("Skus", "Only these garments, one sku a line. Empty: all of the export."),
        "collections": collections_field(),
        "export": export_field(settings, "the newest there is, by the settings"),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description_md="**Spends nothing**: says what would be made and what that costs, in the account and the "
            "log of the task plan.",
        ),
        "tag": _choice(
            "string",
            "Models",
            "The models of the roster with this tag, in place of those that the rules choose. A garment whose row "
            "names a person stays on that one.",
            {tag: tag for tag in tags},
            nothing="as the rules say",
        ),
        "fit_type": _choice(
            "string",
            "Fit type",
            "In place of the rules'. Another fit type is another look, which is paid for; the next night goes by the "
            "rules again.",
            {
                FitType.HALF_BODY.value: "half body: a single piece",
                FitType.FULL_BODY.value: "full body: a suit or a dress",
            },
            nothing="as the rules say",
        ),
        "inference_num": _choice(
            "integer",
            "Pictures of each look",
            "In place of the rules'. Each picture is paid for; the next night goes by the rules again.",
            {
                number: f"{number} picture{'' if number == 1 else 's'}"
                for number in range(MIN_INFERENCE_NUM, MAX_INFERENCE_NUM + 1)
            },
            nothing="as the rules say",
        ),
        "budget": _field(
            "number",
            f"Budget in {price.currency}",
            f"The most that this run may cost, at {price.per_use} {price.currency} a {price.use.value}. What does not "
            "fit is not made. Empty: the limits of the settings alone.",
            section=MONEY,
            exclusiveMinimum=0,
        ),
        "redo": _choice(
            "string",
            "Make again",
            "What has ended already is made, **and paid for**, again, once. For published pictures say which skus or "
            "collections: never a whole export.",
            {
                Redo.FAILED.value: "what failed or was rejected",
                Redo.REVIEWED.value: "what waits for review",
                Redo.ALL.value: "all of it, published pictures too",
            },
            nothing="nothing",
            section=REMAKE,
        ),
    }


def _field(kind: str, title: str, help_text: str, *, section: str | None, **rules: Any) -> Param:
    place: dict[str, Any] = {} if section is None else {"section": section}
    return Param(None, type=["null", kind], title=title, description_md=help_text, **place, **rules)


def _names(title: str, help_text: str) -> Param:
    # What a form's lines hold is text; a list of anything else is a mistake of whoever calls the API.
    return _field("array", title, help_text, section=FIRST, items={"type": "string"})


def _choice(
    kind: str,
    title: str,
    help_text: str,
    choices: Mapping[Any, str],
    *,
    nothing: str,
    section: str = HOW,
) -> Param:
    values: Iterable[Any] = (None, *choices)
    labels = {NOTHING: nothing} | {str(value): text for value, text in choices.items()}
    return _field(kind, title, help_text, section=section, enum=list(values), values_display=labels)
