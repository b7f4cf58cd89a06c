"""The Airflow pools that bound what is in flight: the night's, and that of backfills."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tryon_catalogue.submission.turns import Places
from tryon_catalogue.workflow.policy import backfill_pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tryon_catalogue.settings import Settings

_NAMES_AN_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")

DESCRIPTION = "Batches of looks in flight at the try-on vendor"
AS_MANY_AS_A_RUN_HAS: Final = 1024
"""Slots of a pool that is to bound nothing: Airflow maps no task to more."""
FEWEST_SLOTS: Final = 8
"""A batch keeps its slot until its pictures are in the catalogue, and the vendor is not to stand idle meanwhile; how
many submissions it has at once, the gate holds."""


class PoolError(Exception):
    """A pool could not be made, or is not as it should be; carries what Airflow said."""


def slots_of(settings: Settings) -> Mapping[str, int]:
    """Give each pool that the project needs, and its slots: one for each submission that may be at the vendor."""
    pool, places = settings.batches.pool, Places.of(settings)
    most = {pool: places.all, backfill_pool(pool): places.backfills}
    return {
        name: max(submissions, FEWEST_SLOTS) if submissions else AS_MANY_AS_A_RUN_HAS
        for name, submissions in most.items()
    }


def make_pool(name: str, slots: int) -> None:
    """Create a pool in Airflow, or change it to what is asked for.

    Args:
        slots: Tasks that it lets run or wait at once.

    Raises:
        PoolError: Airflow refused, or its database cannot be reached.
    """
    done = _airflow_pools("set", "--include-deferred", name, str(slots), DESCRIPTION)
    if done.returncode:
        raise PoolError(
            f"Airflow could not make the pool {name}: {_error_line(done.stderr)}. Check that "
            "`airflow db check` passes with the same environment, then run `tryon init` again."
        )


def check_pools(settings: Settings) -> str:
    """Look whether Airflow has the pools that the project needs, each as `tryon init` makes it.

    Returns:
        What there is, in words.

    Raises:
        PoolError: One is missing or is another than the settings say, or Airflow cannot be asked.
    """
    done = _airflow_pools("list", "--output", "json")
    if done.returncode:
        raise PoolError(
            f"Airflow cannot be asked for its pools: {_error_line(done.stderr)}. Check that `airflow db check` "
            "passes with the same environment"
        )
    there = {pool["pool"]: pool for pool in json.loads(done.stdout.strip().splitlines()[-1])}
    wrong = []
    for name, slots in slots_of(settings).items():
        pool = there.get(name)
        if pool is None:
            wrong.append(f"there is no pool {name}, and tasks that want a place in it would wait for ever")
        elif str(pool["slots"]) != str(slots):
            wrong.append(f"the pool {name} has {pool['slots']} slots, and the settings say {slots}")
        elif str(pool["include_deferred"]) != "True":
            wrong.append(f"the pool {name} does not count deferred tasks, so that it bounds nothing")
    if wrong:
        raise PoolError(f"{'; '.join(wrong)}: run `tryon init`")
    return ", ".join(f"{name} with {slots} slots" for name, slots in slots_of(settings).items())


def _airflow_pools(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Airflow's own command: the metadata database is not to be touched from outside in any other way.
    return subprocess.run(  # noqa: S603  # our own interpreter, arguments from checked settings
        [sys.executable, "-m", "airflow", "pools", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def _error_line(output: str) -> str:
    """The line of a stack trace that names the error; the last line where none does."""
    lines = [line.strip() for line in output.strip().splitlines()] or ["it gave no message"]
    return next((line for line in reversed(lines) if _NAMES_AN_ERROR.match(line)), lines[-1]).rstrip(".")
