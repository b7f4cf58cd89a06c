"""Who asks, and what of: Airflow's own rights, and the defence against requests that other sites make.

Reading needs the right to read the runs of `DAG_ID`, deciding the right to edit them. Airflow's login is a cookie,
which a browser sends along whichever site makes the request; so a decision needs a token that only a page of ours
shows, and has to come from a page of this very site.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from tryon_catalogue.desk.language import language_of

DAG_ID: Final = "tryon_nightly"
"""Whose runs a visitor has the right to: the pages show one ledger, which the nights fill."""
TOKEN_HEADER: Final = "X-Tryon-Token"  # noqa: S105  # the name of a header
TOKEN_FIELD: Final = "token"  # noqa: S105  # the name of a field
_TOKEN_SECONDS: Final = 43_200  # a page may be open for half a day, and for a whole one at most
_LONGEST_FORM: Final = 65_536  # bytes

MayRead: Final = Depends(requires_access_dag("GET", DagAccessEntity.RUN, DAG_ID))
MayDecide: Final = Depends(requires_access_dag("PUT", DagAccessEntity.RUN, DAG_ID))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may read.

    Attributes:
        name: As Airflow knows the person; stands in the ledger for what the person decides.
        may_decide: Whether the person has the right to edit runs as well.
        language: The one of `language.LANGUAGES` that the browser prefers.
        token: What a form of the person's has to bring along.
    """

    name: str
    may_decide: bool
    language: str
    token: str


def visitor_of(request: Request, user: GetUserDep) -> Visitor:
    """Give who asks. Whether that person may read is `MayRead`'s to say."""
    team = DagModel.get_team_name(DAG_ID)
    may_decide = get_auth_manager().is_authorized_dag(
        method="PUT",
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=DAG_ID, team_name=team),
        user=user,
    )
    name = user.get_name()
    return Visitor(
        name, may_decide, language_of(request.headers.get("accept-language", "")), _token(name, _period())
    )


AVisitor = Annotated[Visitor, Depends(visitor_of)]


class Form:
    """The fields of a form that a page of ours has sent.

    Args:
        fields: Name -> values.
    """

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def one(self, name: str, default: str = "") -> str:
        """Give the value of a field, without white space around it."""
        return self._fields.get(name, [default])[-1].strip().replace("\x00", "")

    def every(self, name: str) -> list[str]:
        """Give the values of a field that stands there several times."""
        return [value.strip().replace("\x00", "") for value in self._fields.get(name, [])]

    def number(self, name: str) -> int:
        """Give a field that is a whole number.

        Raises:
            fastapi.HTTPException: It is none.
        """
        value = self.one(name)
        if not value.isascii() or not value.isdigit() or len(value) > len(str(2**62)):
            raise HTTPException(422, f"{name}: a number is expected.")
        return int(value)


async def form_of(request: Request, visitor: AVisitor) -> Form:
    """Read a form, once it is certain that a page of ours has sent it for this very person.

    Raises:
        fastapi.HTTPException: Another site has sent it, its page is too old, or it is no form.
    """
    _refuse_other_sites(request)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            raise HTTPException(413, "The form is too long.")
    try:
        fields: dict[str, list[str]] = parse_qs(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=2_000
        )
    except ValueError:
        raise HTTPException(422, "What was sent is no form.") from None
    form = Form(fields)
    given = request.headers.get(TOKEN_HEADER) or form.one(TOKEN_FIELD)
    now = _period()
    valid = [_token(visitor.name, period) for period in (now, now - 1)]
    if not any(hmac.compare_digest(given.encode(), token.encode()) for token in valid):
        raise HTTPException(400, "stale")
    return form


AForm = Annotated[Form, Depends(form_of)]


def _refuse_other_sites(request: Request) -> None:
    site = request.headers.get("sec-fetch-site")
    if site is not None:  # browsers say it, and no script can change what they say
        allowed = site == "same-origin"
    else:
        origin = request.headers.get("origin")
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise HTTPException(403, "site")


def _period() -> int:
    return int(time.time()) // _TOKEN_SECONDS


def _token(name: str, period: int) -> str:
    # Every API server has the same key, and no other page of Airflow's signs anything like this with it.
    key: Any = conf.get("api", "secret_key")
    return hmac.new(str(key).encode(), f"tryon-desk\n{period}\n{name}".encode(), hashlib.sha256).hexdigest()
