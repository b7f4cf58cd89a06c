"""What the sandbox remembers, in SQLite: jobs, charges, nonces, counters and its secrets.

Typed methods over SQL; one connection behind one lock, because SQLite has one writer anyway. It decides
nothing about a job's life. With a file, everything survives the process; without one, it is in memory.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tryon_sandbox.gateway import NonceSeen
from tryon_sandbox.images import TaskImages
from tryon_sandbox.rules import Task

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    result_key TEXT PRIMARY KEY, fit_type TEXT NOT NULL, inference_num INTEGER NOT NULL,
    accepted_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS sub_tasks (
    result_key TEXT NOT NULL REFERENCES jobs, position INTEGER NOT NULL,
    model_image TEXT NOT NULL, tops_image TEXT NOT NULL, pants_image TEXT, mask_image TEXT,
    starts_at REAL NOT NULL, ends_at REAL NOT NULL, fails INTEGER NOT NULL,
    images TEXT, pictures TEXT,
    PRIMARY KEY (result_key, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sub_tasks_end ON sub_tasks (ends_at);
CREATE INDEX IF NOT EXISTS sub_tasks_failed ON sub_tasks (ends_at) WHERE fails;
CREATE TABLE IF NOT EXISTS renders (render_key TEXT PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nonces (
    nonce TEXT NOT NULL, path TEXT NOT NULL, body_digest TEXT NOT NULL, seen_at REAL NOT NULL,
    PRIMARY KEY (nonce, path, body_digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_age ON nonces (seen_at);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO counters SELECT 'submissions', count(*) FROM jobs;
INSERT OR IGNORE INTO counters SELECT 'looks', count(*) FROM sub_tasks;
INSERT OR IGNORE INTO counters
    SELECT 'pictures', coalesce(sum(inference_num), 0) FROM sub_tasks JOIN jobs USING (result_key);
"""
"""The counters of what was accepted begin with what a file holds that was written before there were any."""


@dataclass(frozen=True, slots=True)
class SubTask:
    """One sub-task as it is kept.

    Attributes:
        task: The URLs as they were sent.
        starts_at, ends_at: Seconds since the epoch at which it leaves WAITING, and RUNNING.
        fails: Whether it is bound to end FAILED.
        images: Digests of its inputs; None when it was bound to fail for one of them.
        pictures: Digests of its results; None until they are drawn.
    """

    task: Task
    starts_at: float
    ends_at: float
    fails: bool
    images: TaskImages | None
    pictures: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted submission."""

    result_key: str
    fit_type: str
    inference_num: int
    accepted_at: float
    sub_tasks: tuple[SubTask, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """How much was accepted. What is charged is reckoned from it, so another tariff needs no other figures."""

    submissions: int
    looks: int
    pictures: int


@dataclass(frozen=True, slots=True)
class AcceptedLook:
    """One sub-task as what is charged for it goes by.

    Attributes:
        result_key, position: Of the sub-task.
        fit_type, inference_num: Of its submission.
        task: Its URLs; what was sent empty counts as absent.
        images: Digests of its inputs; None when it was bound to fail for one of them.
        failed: Whether it has ended FAILED by now.
    """

    result_key: str
    position: int
    fit_type: str
    inference_num: int
    task: Task
    images: TaskImages | None
    failed: bool


class Store:
    """The sandbox's memory; safe to use from many threads.

    Args:
        path: The SQLite file, made when it is not there; None for memory only.

    Raises:
        sqlite3.Error: The file cannot be opened, or is none of SQLite's.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Write everything out. The store is not to be used afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for what is done inside, and nobody else in between. May be nested."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """A secret made once and remembered ever after."""
        with self.transaction():
            self._db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, make()))
            return str(self._one("SELECT value FROM secrets WHERE name = ?", name)[0])

    def count(self, name: str, by: int = 1) -> None:
        """Add to a named counter."""
        with self._lock:
            self._db.execute(
                "INSERT INTO counters VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, by),
            )

    def counted(self, name: str) -> int:
        """A named counter's value; 0 when nothing was ever counted."""
        return int(self._one("SELECT coalesce(max(value), 0) FROM counters WHERE name = ?", name)[0])

    def note_nonce(self, nonce: str, path: str, body_digest: str, *, now: float, life: float) -> NonceSeen:
        """Record one use of a nonce and say what was known of it (see `gateway.NonceMemory`)."""
        with self.transaction():
            self._db.execute("DELETE FROM nonces WHERE seen_at <= ?", (now - life,))
            before = self._all("SELECT path, body_digest FROM nonces WHERE nonce = ?", nonce)
            self._db.execute(
                "INSERT OR REPLACE INTO nonces VALUES (?, ?, ?, ?)", (nonce, path, body_digest, now)
            )
            if not before:
                return NonceSeen.NEW
            self.count("nonces_reused")
            return NonceSeen.REPLAYED if (path, body_digest) in before else NonceSeen.REUSED

    def add_job(self, job: Job) -> None:
        """Keep a newly accepted job."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?)",
                (job.result_key, job.fit_type, job.inference_num, job.accepted_at),
            )
            self._db.executemany(
                "INSERT INTO sub_tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                [_sub_task_row(job.result_key, at, sub_task) for at, sub_task in enumerate(job.sub_tasks)],
            )
            self.count("submissions")
            self.count("looks", len(job.sub_tasks))
            self.count("pictures", len(job.sub_tasks) * job.inference_num)

    def job(self, result_key: str) -> Job | None:
        """The job of a result key, or None."""
        with self._lock:
            row = self._one_or_none(
                "SELECT result_key, fit_type, inference_num, accepted_at FROM jobs WHERE result_key = ?",
                result_key,
            )
            if row is None:
                return None
            sub_tasks = self._all(
                "SELECT model_image, tops_image, pants_image, mask_image, starts_at, ends_at, fails, images,"
                " pictures FROM sub_tasks WHERE result_key = ? ORDER BY position",
                result_key,
            )
            return Job(row[0], row[1], row[2], row[3], tuple(_sub_task(each) for each in sub_tasks))

    def undrawn(self) -> list[tuple[str, int]]:
        """Result key and position of every sub-task whose pictures are still to be drawn, oldest first."""
        rows = self._all(
            "SELECT result_key, position FROM sub_tasks WHERE pictures IS NULL AND NOT fails ORDER BY ends_at"
        )
        return [(row[0], row[1]) for row in rows]

    def set_pictures(self, result_key: str, position: int, digests: Sequence[str]) -> None:
        """Keep what was drawn for a sub-task."""
        with self._lock:
            self._db.execute(
                "UPDATE sub_tasks SET pictures = ? WHERE result_key = ? AND position = ?",
                (json.dumps(list(digests)), result_key, position),
            )

    def set_failed(self, result_key: str, position: int) -> None:
        """Keep that a sub-task could not be drawn."""
        with self._lock:
            self._db.execute(
                "UPDATE sub_tasks SET fails = 1 WHERE result_key = ? AND position = ?", (result_key, position)
            )

    def render(self, render_key: str) -> str | None:
        """The digest of a picture drawn before from the very same inputs, or None."""
        row = self._one_or_none("SELECT digest FROM renders WHERE render_key = ?", render_key)
        return None if row is None else str(row[0])

    def add_render(self, render_key: str, digest: str) -> None:
        """Remember a drawn picture."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO renders VALUES (?, ?)", (render_key, digest))

    def latest_ends(self, number: int) -> list[float]:
        """The last `number` moments at which a sub-task ends or ended."""
        rows = self._all("SELECT ends_at FROM sub_tasks ORDER BY ends_at DESC LIMIT ?", number)
        return [float(row[0]) for row in rows]

    def accepted(self) -> Totals:
        """How much was ever accepted; no more work when that is much."""
        with self._lock:
            return Totals(*(self.counted(name) for name in ("submissions", "looks", "pictures")))

    def failed(self, now: float) -> Totals:
        """How much of it has ended FAILED at a moment. No submission fails as a whole."""
        looks, pictures = self._one(
            "SELECT count(*), coalesce(sum(inference_num), 0) FROM sub_tasks JOIN jobs USING (result_key)"
            " WHERE fails AND ends_at <= ?",
            now,
        )
        return Totals(0, looks, pictures)

    def accepted_looks(self, now: float) -> list[AcceptedLook]:
        """Every sub-task ever accepted, as it stands at a moment; the first accepted first."""
        rows = self._all(
            "SELECT result_key, position, fit_type, inference_num, model_image, tops_image,"
            " nullif(pants_image, ''), nullif(mask_image, ''), images, fails AND ends_at <= ?"
            " FROM sub_tasks JOIN jobs USING (result_key) ORDER BY accepted_at, result_key, position",
            now,
        )
        return [
            AcceptedLook(key, at, fit_type, number, Task(*urls), _images(images), bool(failed))
            for key, at, fit_type, number, *urls, images, failed in rows
        ]

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _one_or_none(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        rows = self._all(sql, *values)
        return rows[0] if rows else None

    def _one(self, sql: str, *values: object) -> tuple[Any, ...]:
        return self._all(sql, *values)[0]


def _sub_task_row(result_key: str, position: int, sub_task: SubTask) -> tuple[object, ...]:
    task, images = sub_task.task, sub_task.images
    digests = None if images is None else json.dumps([images.model, images.tops, images.pants, images.mask])
    return (
        result_key,
        position,
        task.model_image,
        task.tops_image,
        task.pants_image,
        task.mask_image,
        sub_task.starts_at,
        sub_task.ends_at,
        sub_task.fails,
        digests,
    )


def _sub_task(row: tuple[Any, ...]) -> SubTask:
    model, tops, pants, mask, starts_at, ends_at, fails, images, pictures = row
    return SubTask(
        task=Task(model, tops, pants, mask),
        starts_at=starts_at,
        ends_at=ends_at,
        fails=bool(fails),
        images=_images(images),
        pictures=None if pictures is None else tuple(json.loads(pictures)),
    )


def _images(kept: str | None) -> TaskImages | None:
    return None if kept is None else TaskImages(*json.loads(kept))
