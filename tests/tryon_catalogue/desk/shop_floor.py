"""Fills a ledger and an archive with looks that wait for a person, with pictures that can be told apart."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from sqlalchemy import Engine, insert, text

from tests.tryon_catalogue.reporting.report.books import RUN, START, open_run, write_submission
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, run_looks
from tryon_catalogue.pictures.archive import Archive, PictureName
from tryon_catalogue.pictures.rules import thumbnail
from tryon_catalogue.settings import Settings

COLOURS = ("firebrick", "seagreen", "steelblue", "goldenrod", "slateblue", "darkorange")
SIDES = (300, 400)


@dataclass(frozen=True, slots=True)
class Piece:
    """A garment with a look that waits for review.

    Attributes:
        made: Its new pictures, each with the check that it did not pass; empty where it passed all.
        before: How many pictures of it the catalogue shows by now.
    """

    sku: str
    title: str = "Breton tee"
    collection: str = "SS26"
    model: str = "Mei"
    made: Sequence[str] = ("colours",)
    before: int = 0
    state: str = "REVIEW"
    run_id: str = RUN


def drawn(words: str, colour: str, size: tuple[int, int] = SIDES) -> bytes:
    """Draw a picture that says what it is."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).text((12, 12), words, fill="white", font_size=28)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=88)
    return content.getvalue()


@dataclass(frozen=True, slots=True)
class _Kept:
    content: bytes
    format: str = "JPEG"


def furnish(
    engine: Engine, settings: Settings, pieces: Sequence[Piece], pictures_of: dict[str, Any] | None = None
) -> list[str]:
    """Write garments, their looks and pictures; returns the keys of the looks.

    Args:
        pictures_of: Bytes to use instead of drawn ones: ``sku`` -> (model, garment, result...)
    """
    for run_id in dict.fromkeys(piece.run_id for piece in pieces):
        open_run(engine, run_id, rows_read=len(pieces))
    keys = [hashlib.sha256(f"look of {piece.sku} on {piece.model}".encode()).hexdigest() for piece in pieces]
    for place, (key, piece) in enumerate(zip(keys, pieces, strict=True)):
        _write(engine, settings, piece, place=place, key=key, given=(pictures_of or {}).get(piece.sku))
    by_run = {
        run: [k for k, p in zip(keys, pieces, strict=True) if p.run_id == run]
        for run in {p.run_id for p in pieces}
    }
    for run_id, of_run in by_run.items():
        write_submission(engine, of_run, "COLLECTED", uses=len(of_run), run_id=run_id, answered_at=START)
    return keys


def _write(
    engine: Engine, settings: Settings, piece: Piece, *, place: int, key: str, given: Sequence[bytes] | None
) -> None:
    archive = Archive(settings.archive)
    colour = COLOURS[place % len(COLOURS)]
    model, garment, *results = given or (
        drawn(f"model {piece.model}", "dimgray"),
        drawn(piece.sku, colour),
        *(drawn(f"{piece.sku} {number + 1}", colour) for number in range(len(piece.made))),
    )
    digests = {}
    for name, content in (("model", model), ("tops", garment)):
        digests[f"{name}_sha256"] = hashlib.sha256(content).hexdigest()
        archive.put_input(digests[f"{name}_sha256"], thumbnail(content))
    rows = [
        _picture(archive, piece, key, number, content, shown=False)
        | {"doubts": doubts or None, "score": 0.3 if doubts else 0.9, "verdict": _verdict(doubts)}
        for number, (content, doubts) in enumerate(zip(results, piece.made, strict=False))
    ]
    rows += [
        _picture(archive, piece, key, number, drawn(f"{piece.sku} before", "darkslategray"), shown=True)
        | {"doubts": None, "score": 0.9, "verdict": None}
        for number in range(piece.before)
    ]
    reason = "\n".join(
        f"picture {number + 1}: {doubts}: 21.3, limit 14"
        for number, doubts in enumerate(piece.made)
        if doubts
    )
    with engine.begin() as connection:
        connection.execute(
            insert(looks).values(
                key=key,
                fit_type="HALF_BODY",
                inference_num=max(1, len(piece.made)),
                model=piece.model,
                model_image=f"https://pictures.example/{piece.model}.jpg",
                tops_image=f"https://pictures.example/{piece.sku}.jpg",
                state=piece.state,
                reason=reason or None,
                attempts=1,
                position=place,
                collection=piece.collection,
                moved_run=piece.run_id,
                moved_try=1,
                **digests,
            )
        )
        connection.execute(insert(run_looks).values(run_id=piece.run_id, look_key=key))
        connection.execute(
            insert(garment_looks).values(
                sku=piece.sku,
                position=0,
                look_key=key,
                title=piece.title,
                collection=piece.collection,
                export_date="2026-11-20",
                run_id=piece.run_id,
            )
        )
        if rows:
            connection.execute(insert(pictures), rows)
        connection.execute(
            text("INSERT INTO catalogue (sku, title) VALUES (:sku, :title) ON CONFLICT DO NOTHING"),
            {"sku": piece.sku, "title": piece.title},
        )


def _picture(
    archive: Archive, piece: Piece, key: str, number: int, content: bytes, *, shown: bool
) -> dict[str, Any]:
    attempt = "a" if shown else "b"
    name = PictureName(piece.collection, piece.sku, piece.model, key, attempt, number)
    kept: Any = _Kept(content)
    place = archive.put(name, kept)
    small = archive.put_thumbnail(name, thumbnail(content))
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    return {
        "look_key": key,
        "shown": shown,
        "number": number,
        "path": place.path,
        "url": f"https://cdn.example/{key[:10]}-{attempt}-{number + 1}.jpg",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "width": width,
        "height": height,
        "thumbnail": small.path,
    }


def _verdict(failed: str) -> dict[str, Any]:
    passed = {"face": {"value": 0.93, "limit": 0.7, "passed": True}}
    return passed | ({failed: {"value": 21.3, "limit": 14.0, "passed": False}} if failed else {})


def catalogue_row(engine: Engine, sku: str) -> Any:
    """A row of the shop's table."""
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM catalogue WHERE sku = :sku"), {"sku": sku}).one()


def archived(settings: Settings) -> list[Path]:
    """The files of the archive."""
    return [path for path in Path(settings.archive.path).rglob("*") if path.is_file()]
