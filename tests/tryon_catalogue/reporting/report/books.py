"""Fills a ledger with a run to report on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, insert

from tryon_catalogue.ledger.tables import (
    batches,
    garment_looks,
    looks,
    pictures,
    rejections,
    run_looks,
    runs,
    submission_looks,
    submissions,
)

RUN = "tryon_nightly/manual__1"
START = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
SENT = {
    "model_image": "https://pictures.example/model.jpg",
    "tops_image": "https://pictures.example/top.jpg",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A look to write, with its garment and its pictures: (path, score)."""

    sku: str = "TS-1"
    title: str = "Breton tee"
    collection: str = "SS26"
    model: str = "Mei"
    state: str = "PUBLISHED"
    reason: str = ""
    inputs: tuple[str | None, ...] = (None, None)
    pictures: tuple[tuple[str, float | None], ...] = ()
    batch_run: str | None = RUN


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def open_run(engine: Engine, run_id: str = RUN, *, ended: bool = True, **values: Any) -> None:
    row = {
        "export": "exports/catalogue.csv",
        "export_date": "2026-11-20",
        "started_at": START,
        "opened_at": START,
        "planned_at": START,
        "cut_at": START,
        "rows_read": 24,
    }
    row |= {"ended_at": START + timedelta(minutes=42)} if ended else {}
    with engine.begin() as connection:
        connection.execute(insert(runs).values(id=run_id, **(row | values)))


def write_looks(engine: Engine, entries: Sequence[Entry], run_id: str = RUN) -> list[str]:
    """Write looks of a run; returns their keys. Each run that carries some has to be open."""
    keys = [digest(f"{number} {run_id} {entry}") for number, entry in enumerate(entries)]
    with engine.begin() as connection:
        batch_ids = {
            carrier: connection.execute(
                insert(batches)
                .values(run_id=carrier, fit_type="HALF_BODY", inference_num=1)
                .returning(batches.c.id)
            ).scalar_one()
            for carrier in sorted({entry.batch_run for entry in entries if entry.batch_run})
        }
        rows = [
            {
                "key": key,
                "fit_type": "HALF_BODY",
                "inference_num": 1,
                "model": entry.model,
                **SENT,
                "pants_image": "https://pictures.example/pants.jpg" if len(entry.inputs) > 2 else None,
                "model_sha256": entry.inputs[0],
                "tops_sha256": entry.inputs[1],
                "pants_sha256": entry.inputs[2] if len(entry.inputs) > 2 else None,
                "state": entry.state,
                "reason": entry.reason or None,
                "batch_id": batch_ids[entry.batch_run] if entry.batch_run else None,
                "position": number,
                "moved_run": run_id,
                "moved_try": 1,
            }
            for number, (key, entry) in enumerate(zip(keys, entries, strict=True))
        ]
        connection.execute(insert(looks), rows)
        connection.execute(insert(run_looks), [{"run_id": run_id, "look_key": key} for key in keys])
        places: dict[str, int] = {}
        garments = []
        for key, entry in zip(keys, entries, strict=True):
            place = places[entry.sku] = places.get(entry.sku, -1) + 1
            garments.append(
                {
                    "sku": entry.sku,
                    "position": place,
                    "look_key": key,
                    "title": entry.title,
                    "collection": entry.collection,
                    "export_date": "2026-11-20",
                    "run_id": run_id,
                }
            )
        connection.execute(insert(garment_looks), garments)
        made = [
            {
                "look_key": key,
                "number": number,
                "path": path,
                "url": f"https://cdn.example/{key[:10]}-{number}.jpg",
                "sha256": digest(path),
                "bytes": 1000,
                "width": 900,
                "height": 1200,
                "score": score,
                "shown": entry.state != "REVIEW",
            }
            for key, entry in zip(keys, entries, strict=True)
            for number, (path, score) in enumerate(entry.pictures)
        ]
        if made:
            connection.execute(insert(pictures), made)
    return keys


def write_rejections(engine: Engine, rows: Sequence[dict[str, Any]], run_id: str = RUN) -> None:
    default = {"sku": None, "rule": "missing", "column": None, "value": None, "image": None, "measured": None}
    default |= {"limit": None, "reason": "there is no image; add one"}
    with engine.begin() as connection:
        connection.execute(insert(rejections), [{"run_id": run_id, **default, **row} for row in rows])


def write_submission(
    engine: Engine, keys: Sequence[str], state: str, *, uses: int = 0, run_id: str = RUN, **values: Any
) -> int:
    """Write a submission of looks; returns its id."""
    accepted = state in {"SUBMITTED", "COLLECTED"}
    with engine.begin() as connection:
        batch_id = connection.execute(
            insert(batches)
            .values(run_id=run_id, fit_type="HALF_BODY", inference_num=1)
            .returning(batches.c.id)
        ).scalar_one()
        row = {
            "batch_id": batch_id,
            "run_id": run_id,
            "try_number": 1,
            "conn_id": "damo_tryon",
            "state": state,
        }
        row |= {"fit_type": "HALF_BODY", "inference_num": 1, "uses": uses, "intended_at": START}
        row |= {"amount": (uses or len(keys)) * Decimal("0.95")}
        row |= {"result_key": digest(str(batch_id))} if accepted else {}
        submission_id = connection.execute(
            insert(submissions).values(**(row | values)).returning(submissions.c.id)
        ).scalar_one()
        connection.execute(
            insert(submission_looks),
            [
                {"submission_id": submission_id, "position": place, "look_key": key, **SENT}
                for place, key in enumerate(keys)
            ],
        )
    return submission_id
