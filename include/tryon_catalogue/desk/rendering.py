"""Renders the templates of the desk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tryon_catalogue.desk.desk_plugin import DESK_PATH
from tryon_catalogue.desk.language import LANGUAGES, Speech
from tryon_catalogue.desk.report_plugin import REPORT_PATH
from tryon_catalogue.reporting.report.style import STATE_STYLE
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from tryon_catalogue.desk.access import Visitor

_HERE: Final = Path(__file__).parent
PAGES: Final = ("today", "review", "garments", "rejected", "doubts", "money")
"""The pages of the navigation, in its order."""
_WITHIN: Final = {"garments": ("garment",)}
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE / "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
STATIC: Final[Mapping[str, str]] = MappingProxyType(
    {
        "icon.svg": "image/svg+xml",
        "desk.css": "text/css; charset=utf-8",
        "review.css": "text/css; charset=utf-8",
        "desk.js": "text/javascript; charset=utf-8",
        "review.js": "text/javascript; charset=utf-8",
        "panes.js": "text/javascript; charset=utf-8",
    }
)
"""The files that pages load -> what they are."""


@cache
def static(name: str) -> str:
    """Give the text of one of `STATIC`."""
    text = (_HERE / "static" / name).read_text("utf-8")
    return STATE_STYLE + text if name == "desk.css" else text


def render(page: str, visitor: Visitor, base: str, values: Mapping[str, Any]) -> str:
    """Render a page.

    Args:
        page: Name of its template, without the ending.
        base: The path below which the app is served.
    """
    speech = Speech(visitor.language)
    airflow = base.removesuffix(DESK_PATH)
    return _TEMPLATES.get_template(f"{page}.html").render(
        {
            "t": speech,
            "lang": LANGUAGES[visitor.language],
            "visitor": visitor,
            "base": base,
            "page": page,
            "pages": PAGES,
            "within": _WITHIN,
            "file": lambda name: f"{base}/static/{name}?v={_digest(name)}",
            "airflow": lambda run: f"{airflow}/dags/{_run_path(run)}",
            "report": lambda run: f"{airflow}{REPORT_PATH}/run?{_run_query(run)}",
            "when": _when,
            "age": lambda span: _age(speech, span),
            "money": money,
            **values,
        }
    )


def _run_path(run: str) -> str:
    dag_id, _, run_id = run.partition("/")
    return f"{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def _run_query(run: str) -> str:
    dag_id, _, run_id = run.partition("/")
    return urlencode({"dag_id": dag_id, "run_id": run_id})


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(static(name).encode()).hexdigest()[:12]


def _when(moment: datetime) -> Markup:
    """Give a time as UTC; the page's script makes it the reader's own."""
    moment = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        moment.isoformat(timespec="seconds"), f"{moment:%Y-%m-%d %H:%M}"
    )


def _age(speech: Speech, span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return speech("minutes", n=minutes)
    if minutes < 2 * 1440:
        return speech("hours", n=minutes // 60)
    return speech("days", n=minutes // 1440)
