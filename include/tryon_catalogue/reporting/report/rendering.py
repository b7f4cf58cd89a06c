"""Makes the page of a report: one HTML file that asks nothing of the network and opens anywhere.

Everything is inside: style, script, and small copies of the images. An image that several looks share stands in the
page once, as a rule of its style.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from damo_tryon.contract import url_problem
from tryon_catalogue.ledger.states import LOOK_STATES, SHOWN, in_words
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.account.wording import headline, spent
from tryon_catalogue.reporting.report.style import STATE_STYLE
from tryon_catalogue.reporting.report.thumbnails import MEDIA_TYPE, ThumbnailRequest, place_of_input
from tryon_catalogue.words import counted, money

if TYPE_CHECKING:
    from tryon_catalogue.exports import Rejection
    from tryon_catalogue.reporting.report.facts import (
        Extract,
        Report,
        ReportedInput,
        ReportedLook,
        ReportedPicture,
    )
    from tryon_catalogue.reporting.report.thumbnails import Thumbnails
    from tryon_catalogue.settings import ArchiveSettings

PICTURE_SIZE: Final = (192, 256)
INPUT_SIZE: Final = (96, 128)
"""Pixels, width and height: the largest at which thousands of looks stay a file that can be sent."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure at the top of the page: what it counts, how many, and a detail in a few words."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A state's part of the run's looks, in thousandths of the bar.

    Attributes:
        state: The state.
        count: Looks in it.
        start: Where its part of the bar begins.
        width: How wide it is.
    """

    state: LookState
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture on a card.

    Attributes:
        picture: As the ledger has it.
        data: Its small copy as a data URI, empty when it cannot be read.
        url: Where the whole one is; empty where it cannot be linked.
    """

    picture: ReportedPicture
    data: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownInput:
    """An input on a card.

    Attributes:
        label: What it shows.
        image: The class that draws it; empty when it is not in the archive.
    """

    label: str
    image: str


@dataclass(frozen=True, slots=True)
class Card:
    """A look on the page.

    Attributes:
        look: As the ledger has it.
        pictures: Its pictures.
        inputs: What they were made from.
        hints: What may have made the pictures worse -> the inputs of which it was found.
    """

    look: ReportedLook
    pictures: tuple[ShownPicture, ...]
    inputs: tuple[ShownInput, ...]
    hints: Mapping[str, Sequence[str]]

    @property
    def score(self) -> float | None:
        """The best score among its pictures."""
        return max(
            (picture.score for picture in self.look.pictures if picture.score is not None), default=None
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A list on a page to narrow the looks down with.

    Attributes:
        name: As the address says it.
        everything: The words for all looks.
        values: Value -> its words.
        chosen: The value that this page is narrowed down to; may be empty.
    """

    name: str
    everything: str
    values: Mapping[str, str]
    chosen: str


@dataclass(frozen=True, slots=True)
class ShownRejection:
    """A rejection on the page, and the class that draws its image; empty when there is none."""

    rejection: Rejection
    image: str


def render(
    report: Report,
    thumbnails: Thumbnails,
    archive: ArchiveSettings,
    *,
    address: Mapping[str, str] | None = None,
) -> str:
    """Make the page: a file by default, or what the Airflow UI shows in a frame.

    Args:
        thumbnails: Makes the small images; what it cannot read is shown as an empty field.
        archive: The ``[archive]`` section, which says where inputs are kept.
        address: What the address of the page in the frame says of the run, by name; None for the file.
    """
    picture_requests = {picture: _picture(picture) for look in report.looks for picture in look.pictures}
    digests = {image.sha256 for look in report.looks for image in look.inputs}
    digests |= set(report.rejected_images.values())
    input_requests = {sha256: _input(archive, sha256) for sha256 in sorted(filter(None, digests))}
    small = thumbnails.of([*picture_requests.values(), *input_requests.values()])
    pictures = {
        picture: _data_uri(small[request])
        for picture, request in picture_requests.items()
        if request in small
    }
    inputs = {
        sha256: _data_uri(small[request]) for sha256, request in input_requests.items() if request in small
    }
    classes = {sha256: f"i{number}" for number, sha256 in enumerate(inputs)}
    rules = "\n".join(
        f'.{classes[sha256]}{{background-image:url("{data}")}}' for sha256, data in inputs.items()
    )
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        policy=policy_for(_STYLE, rules, script=_SCRIPT, forms=address is not None),
        style=_STYLE,
        image_rules=rules,
        script=_SCRIPT,
        title=headline(report.account),
        tiles=list(_tiles(report)),
        shares=list(_shares(report)),
        cards=[_card(look, pictures, classes) for look in report.looks],
        rejections=[
            ShownRejection(rejection, classes.get(report.rejected_images.get(rejection.subject, ""), ""))
            for rejection in report.rejections
        ],
        collections=sorted({look.collection for look in report.looks if look.collection}),
        models=sorted({look.model for look in report.looks if look.model}),
        facts=LOOK_STATES,
        extract=report.extract,
        address=address,
        choices=list(_choices(report.extract)) if report.extract else [],
        link=partial(_link, report, address or {}),
        file_link=_address({**(address or {}), "download": 1}),
        review_link=_address({**(address or {}), "state": LookState.REVIEW.value}),
        link_to_look=partial(_link_to_look, report, address),
        # The Airflow UI lets nothing in a frame open a new tab.
        link_target="_blank" if address is None else "_self",
    )


def render_notice(title: str, text: str) -> str:
    """Make a page that says why there is no report.

    Args:
        title: In a few words.
        text: What to do.
    """
    return _TEMPLATES.get_template("notice.html").render(
        title=title, text=text, policy=policy_for(_STYLE), style=_STYLE
    )


def policy_for(*styles: str, script: str = "", forms: bool = False) -> str:
    """Give the content security policy under which nothing runs and nothing shows but what the page was made with.

    Args:
        styles: The content of its style elements.
        script: The content of its script element; empty for a page without one.
        forms: Whether it may ask its own server for another page.
    """
    style_digests = " ".join(f"'sha256-{_digest(style)}'" for style in styles)
    form_target = "'self'" if forms else "'none'"
    script_source = f"'sha256-{_digest(script)}'" if script else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src {style_digests}; script-src {script_source}; "
        f"base-uri 'none'; form-action {form_target}"
    )


def utc(moment: datetime) -> str:
    """Write a moment as people read it: 20 November 2026, 02:30 UTC."""
    in_utc = moment.astimezone(UTC)
    return f"{in_utc.day} {in_utc:%B %Y, %H:%M} UTC"


def lasted(time: timedelta) -> str:
    """Write a length of time as people say it: 48 s, 42 min, 1 h 5 min."""
    seconds = round(time.total_seconds())
    if seconds < 100:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _tiles(report: Report) -> Iterator[Tile]:
    account = report.account
    if account.would_make is None:
        yield Tile(
            "Pictures", f"{account.pictures:,}", f"made for {counted(account.tried, 'look')} of this run"
        )
    else:
        price = money(account.estimate, account.currency)
        yield Tile(
            "Would make",
            f"{account.would_make:,}",
            f"{'look' if account.would_make == 1 else 'looks'} for {price}; nothing was sent",
        )
    if account.held:
        yield Tile("Held back", f"{account.held:,}", "looks that no run sees to yet; why is below")
    yield Tile("Spend", money(account.cost, account.currency), spent(account))
    if report.doubts:
        yield Tile("In doubt", money(report.doubtful_cost, account.currency), "more, if the vendor has it")
    if account.would_make is None:
        rows = f"of {counted(account.rows, 'row')} read{account.beside}"
        yield Tile("Rejected rows", f"{account.rejected_rows:,}", rows)
    else:  # of a dry run the ledger keeps no rejections to count
        yield Tile("Rows", f"{account.rows:,}", f"read{account.beside}")
    if account.known:
        yield Tile("Known before", f"{account.known:,}", "looks that had an end already")
    if account.elsewhere:
        yield Tile("Elsewhere", f"{account.elsewhere:,}", "looks that another run sees to")
    if report.duration is None:
        yield Tile("Time", "not ended", f"since {utc(report.started_at)}")
    else:
        yield Tile("Time", lasted(report.duration), "from start to account")


def _shares(report: Report) -> Iterator[Share]:
    start = 0.0
    for state in SHOWN:
        if count := report.account.looks.get(state.value, 0):
            width = 1000 * count / report.account.tried
            yield Share(state, count, round(start, 2), round(width, 2))
            start += width


def _card(look: ReportedLook, pictures: Mapping[ReportedPicture, str], classes: Mapping[str, str]) -> Card:
    hints: dict[str, list[str]] = {}
    for image in look.inputs:
        for warning in image.warnings:
            hints.setdefault(warning, []).append(_label(image, look))
    return Card(
        look,
        tuple(
            ShownPicture(picture, pictures.get(picture, ""), _linkable(picture.url))
            for picture in look.pictures
        ),
        tuple(ShownInput(_label(image, look), classes.get(image.sha256 or "", "")) for image in look.inputs),
        hints,
    )


def _choices(part: Extract) -> Iterator[Choice]:
    """Give what looks can be narrowed down by, where there is anything to choose."""
    chosen = part.filters.get
    for name, values in (("collection", part.collections), ("model", part.models)):
        if len(values) > 1 or chosen(name):
            yield Choice(name, f"All {name}s", {value: value for value in values}, chosen(name, ""))
    if len(part.states) > 1 or chosen("state"):
        states = {state.value: in_words(state) for state in part.states}
        yield Choice("state", "All states", states, chosen("state", ""))


def _link(report: Report, address: Mapping[str, str], **changes: object) -> str:
    """Give the address of another page of the report: what is not changed stays as it is."""
    part = report.extract
    here = {**part.filters, "page": part.page, "rejections": part.rejection_page} if part else {}
    return _address({**address, **here, **changes})


def _link_to_look(report: Report, address: Mapping[str, str] | None, look: ReportedLook) -> str:
    anchor = f"#look-{look.key}"
    if address is None or any(look.key == shown.key for shown in report.looks):
        return anchor
    return _address({**address, "look": look.key}) + anchor


def _address(values: Mapping[str, object]) -> str:
    return f"?{urlencode(values)}"


def _label(image: ReportedInput, look: ReportedLook) -> str:
    return f"{image.role} {look.model}" if image.role == "model" and look.model else image.role


def _linkable(url: str) -> str:
    # An archive in a folder has paths in place of addresses; what is no plain http or https is no link.
    return "" if url_problem(url) else url


def _picture(picture: ReportedPicture) -> ThumbnailRequest:
    places = (picture.thumbnail, picture.path) if picture.thumbnail else (picture.path,)
    return ThumbnailRequest(places, picture.sha256, PICTURE_SIZE)


def _input(archive: ArchiveSettings, sha256: str) -> ThumbnailRequest:
    return ThumbnailRequest((place_of_input(archive, sha256),), sha256, INPUT_SIZE)


def _data_uri(image: bytes) -> str:
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(image).decode()}"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"counted": counted, "money": money, "state": in_words, "utc": utc}
    return environment


_TEMPLATES: Final = _environment()
# As the page has them: the browser takes no others.
_STYLE: Final = STATE_STYLE + Path(__file__).with_name("report.css").read_text(encoding="utf-8")
_SCRIPT: Final = Path(__file__).with_name("report.js").read_text(encoding="utf-8")
