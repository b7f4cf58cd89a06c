"""The Airflow pool that bounds what is in flight."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tryon_catalogue.settings import BatchSettings

DESCRIPTION = "Batches of looks in flight at the try-on vendor"


class PoolError(Exception):
    """The pool could not be made; carries what Airflow said."""


def make_pool(settings: BatchSettings) -> None:
    """Create the pool in Airflow, or change it to what the settings say.

    :param settings: the ``[batches]`` section
    :raises PoolError: Airflow refused, or its database cannot be reached
    """
    # Airflow's own command: the metadata database is not to be touched from outside in any other way.
    command = [sys.executable, "-m", "airflow", "pools", "set", "--include-deferred"]
    done = subprocess.run(  # noqa: S603  # our own interpreter, arguments from checked settings
        [*command, settings.pool, str(settings.pool_slots), DESCRIPTION],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise PoolError(
            f"Airflow could not make the pool {settings.pool}: {last[0]}. Check that `airflow db check` "
            "passes with the same environment, then run `tryon init` again."
        )
