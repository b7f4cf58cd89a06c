"""What goes wrong in a task, told once and in plain words, and how a run ends in red.

A task names the errors it can meet; each of them says by itself what was wrong and what to do, so its causes and
the frames that led there are left out of the log. What a task did not expect keeps all of them. DAG files import this
module: it imports nothing heavy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tryon_catalogue.storage import StorageError

log = logging.getLogger(__name__)

UNDEFINED_TABLE = "42P01"
UNDEFINED_COLUMN = "42703"


class RunFailedError(Exception):
    """Too little of a run succeeded; says how much, and where the looks are."""


class LedgerUnavailableError(Exception):
    """The ledger's database gives no answer, or does not hold the tables; says what to do."""


@contextmanager
def plain_errors(*expected: type[Exception]) -> Iterator[None]:
    """Let only the words of expected errors through.

    Args:
        expected: Errors whose own words suffice.

    Raises:
        tryon_catalogue.storage.StorageError: With its own words alone, which suffice in any task.
        LedgerUnavailableError: In place of the database driver's errors of the same meaning.
    """
    from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

    plain: tuple[type[Exception], ...] = (StorageError, *expected)
    try:
        yield
    except plain as error:
        raise error.with_traceback(None) from None
    except (OperationalError, InterfaceError) as error:
        raise LedgerUnavailableError(
            f"the ledger's database gives no answer ({_first_line(error.orig)}); see the connection that "
            "[catalogue] conn_id names. The task is tried again, and goes on where it stopped."
        ) from None
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) not in {UNDEFINED_TABLE, UNDEFINED_COLUMN}:
            raise
        raise LedgerUnavailableError(
            f"the ledger's tables are missing or of an older release ({_first_line(error.orig)}); run: tryon init"
        ) from None


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n", 1)[0]
