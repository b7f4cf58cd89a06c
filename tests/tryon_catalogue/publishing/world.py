"""What the tests of publishing say and read: submitting, publishing, and the books afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, Row, select, text

from damo_tryon.hooks import DamoTryOnHook, RetryPolicy
from tryon_catalogue.ledger.tables import looks, pictures, submissions
from tryon_catalogue.pictures.archive import OURS
from tryon_catalogue.publishing.publisher import Published
from tryon_catalogue.publishing.writeback import Catalogue
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.journal import Batch

QUICK = RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.01)
Submit = Callable[..., Batch]
Publish = Callable[..., Published]
SendAgain = Callable[[Batch], None]
BLANK = {"kind": "spoil_picture", "how": "blank", "path": "result", "times": None}


class Killed(BaseException):
    """As abrupt as a process that ends."""


def killed_in(monkeypatch: pytest.MonkeyPatch, method: str, publish: Publish, batch: Batch) -> None:
    """Publish, and die where the shop's table is written."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, method, die)
        with pytest.raises(Killed):
            publish(batch)


def result_keys(engine: Engine, batch: Batch) -> list[str]:
    """The result keys of a batch, oldest first."""
    with engine.connect() as connection:
        of_batch = select(submissions.c.result_key).where(
            submissions.c.batch_id == batch.id, submissions.c.result_key.is_not(None)
        )
        return list(connection.execute(of_batch.order_by(submissions.c.id)).scalars())


def wait_for_vendor(engine: Engine, batch: Batch) -> None:
    """Ask until every sub-task has ended, which takes the stand-in some milliseconds."""
    hook = DamoTryOnHook(retry=QUICK)
    for key in result_keys(engine, batch):
        while not hook.query(key).ended:
            pass


def grow_old(engine: Engine) -> None:
    """Let every look have been where it is for longer than [fetch] give_up_hours."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.looks SET moved_at = now() - interval '25 hours'"))


def submission_states(engine: Engine) -> Counter[str]:
    """How many submissions are in which state."""
    with engine.connect() as connection:
        return Counter(connection.execute(select(submissions.c.state)).scalars())


def shop_row(engine: Engine, sku: str) -> Row[tuple[object, ...]]:
    """A row of the shop's table."""
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM catalogue WHERE sku = :sku"), {"sku": sku}).one()


def kept(engine: Engine) -> list[Row[tuple[object, ...]]]:
    """The pictures the ledger knows, in the order of looks and numbers."""
    with engine.connect() as connection:
        return list(
            connection.execute(
                select(pictures, looks.c.position)
                .join(looks, looks.c.key == pictures.c.look_key)
                .order_by(looks.c.position, pictures.c.number)
            ).all()
        )


def files(settings: Settings) -> list[Path]:
    """Every file below the archive but the small copies, unfinished ones included."""
    root = Path(settings.archive.path)
    found = (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if path.relative_to(root).parts[0] not in OURS)
