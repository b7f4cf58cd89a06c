"""The headers that single hosts want of whoever fetches their pictures; the values are in Airflow connections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tryon_catalogue.settings import FetchSettings

_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class HostHeaderError(Exception):
    """A header that the settings name has no value that can be sent; says which connection to mend."""


def host_headers(settings: FetchSettings) -> dict[str, dict[str, str]]:
    """Give what each host is sent, by the host's name in small letters.

    Raises:
        HostHeaderError: A connection is missing, or its password is empty or cannot be sent.
    """
    headers: dict[str, dict[str, str]] = {}
    for wanted in settings.hosts:
        value = _password(wanted.conn_id)
        if value is None or not _VALUE.fullmatch(value):
            raise HostHeaderError(
                f"[[fetch.hosts]] {wanted.host}: the header {wanted.header} is the password of the Airflow connection "
                f"{wanted.conn_id}, which is missing, empty or no plain text. Add it: airflow connections add "
                f"{wanted.conn_id} --conn-type generic --conn-password VALUE"
            )
        headers.setdefault(wanted.host.lower(), {})[wanted.header] = value
    return headers


def _password(conn_id: str) -> str | None:
    # Airflow is imported where it is needed: whoever has no such host needs none of it.
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id).password
    except AirflowNotFoundException:
        return None
