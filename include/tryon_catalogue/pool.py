"""The Airflow pools that bound what is in flight: the night's, and that of backfills."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tryon_catalogue.backfill_policy import backfill_pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tryon_catalogue.settings import Settings

_NAMES_AN_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")

DESCRIPTION = "Batches of looks in flight at the try-on vendor"


class PoolError(Exception):
    """The pool could not be made; carries what Airflow said."""


def slots_of(settings: Settings) -> Mapping[str, int]:
    """Give each pool that the project needs, and its slots.

    :param settings: the sections ``[batches]`` and ``[backfill]``
    """
    pool = settings.batches.pool
    return {pool: settings.batches.pool_slots, backfill_pool(pool): settings.backfill.pool_slots}


def make_pool(name: str, slots: int) -> None:
    """Create a pool in Airflow, or change it to what is asked for.

    :param name: of the pool
    :param slots: tasks that it lets run or wait at once
    :raises PoolError: Airflow refused, or its database cannot be reached
    """
    # Airflow's own command: the metadata database is not to be touched from outside in any other way.
    command = [sys.executable, "-m", "airflow", "pools", "set", "--include-deferred"]
    done = subprocess.run(  # noqa: S603  # our own interpreter, arguments from checked settings
        [*command, name, str(slots), DESCRIPTION],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PoolError(
            f"Airflow could not make the pool {name}: {_telling_line(done.stderr)}. Check that "
            "`airflow db check` passes with the same environment, then run `tryon init` again."
        )


def _telling_line(said: str) -> str:
    """The line of a stack trace that names the error; the last line where none does."""
    lines = [line.strip() for line in said.strip().splitlines()] or ["it gave no message"]
    return next((line for line in reversed(lines) if _NAMES_AN_ERROR.match(line)), lines[-1]).rstrip(".")
