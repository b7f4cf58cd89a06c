"""The note that a task leaves for the page of its results: its result keys, its connection, and a seal.

People may write XComs, and the page asks the vendor with a connection's secret. So it takes nobody's word but the
task's: the seal is made with the secret of the connection that the task itself has used, over the keys and the place
where the note belongs. Whoever does not know that secret can neither name another connection nor other keys, nor move
a note of one DAG to another.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from damo_tryon.errors import TryOnError
from damo_tryon.names import XCOM_RESULTS

log = logging.getLogger(__name__)

_CONN_ID: Final = re.compile(r"[\w.:-]{1,250}")  # no path, for backends of secrets that make one of it
_PURPOSE: Final = "damo_tryon results page 1"  # so that no seal of another kind is ever one of these


class Sealing(Protocol):
    """A hook, as far as it is needed here."""

    @property
    def http_conn_id(self) -> str:
        """Id of its connection."""

    def seal(self, text: str) -> str:
        """Seal a text with the connection's secret."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which task instance a note is of.

    Attributes:
        dag_id: The DAG; whoever reads the page may read its XComs.
        run_id: The run.
        task_id: The task.
        map_index: Its index when it is mapped, else -1.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @classmethod
    def of(cls, ti: Any) -> Place:
        """Read it from a task instance."""
        return cls(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)


@dataclass(frozen=True, slots=True)
class ResultsNote:
    """A note as it was found; nothing in it is to be believed before ``holds`` says so.

    Attributes:
        conn_id: Id of the connection that the submissions went over.
        result_keys: Of the submissions.
        seal: In hexadecimal.
    """

    conn_id: str
    result_keys: tuple[str, ...]
    seal: str

    @classmethod
    def read(cls, value: object) -> ResultsNote | None:
        """Read a note from an XCom's value; None where that is something else."""
        if not isinstance(value, Mapping):
            return None
        conn_id, keys, seal = (value.get(name) for name in ("conn_id", "result_keys", "seal"))
        if not (isinstance(conn_id, str) and isinstance(keys, list) and isinstance(seal, str)):
            return None
        if not _CONN_ID.fullmatch(conn_id) or not all(isinstance(key, str) for key in keys):
            return None
        return cls(conn_id, tuple(keys), seal)

    def holds(self, place: Place, hook: Sealing) -> bool:
        """Say whether a task that knows the connection's secret has left this note at this place.

        Args:
            hook: Of the connection that the note names.

        Raises:
            damo_tryon.errors.TryOnError: The connection cannot be used.
        """
        made = hook.seal(_sealed(place, self.conn_id, self.result_keys))
        # As bytes: text with other letters than ASCII's cannot be compared in constant time.
        return hmac.compare_digest(made.encode(), self.seal.encode("utf-8", "replace"))


def leave_note(ti: Any, hook: Sealing, result_keys: Sequence[str]) -> None:
    """Leave a note of a task, where its connection can be used; whatever is wrong with it fails no task.

    Args:
        ti: The running task instance.
        hook: Of the connection that the submissions went over.
    """
    try:
        seal = hook.seal(_sealed(Place.of(ti), hook.http_conn_id, result_keys))
    except TryOnError as error:
        log.warning("The page of results will have nothing to show. %s", error)
        return
    ti.xcom_push(XCOM_RESULTS, {"conn_id": hook.http_conn_id, "result_keys": list(result_keys), "seal": seal})


def _sealed(place: Place, conn_id: str, result_keys: Sequence[str]) -> str:
    # As JSON: no two different contents have one text.
    return json.dumps([_PURPOSE, asdict(place), conn_id, list(result_keys)], sort_keys=True)
