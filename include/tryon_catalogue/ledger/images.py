"""What is known of the shop's pictures: the answers of the last preflight, by address and role."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.ledger.tables import images, looks, run_looks
from tryon_catalogue.pictures.rules import ImageRole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

ImageKey = tuple[str, ImageRole]
"""An address and what its picture is to be."""


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What preflight found behind an address.

    Attributes:
        role: What its picture is to be.
        sha256: Digest of the bytes, hex; None while it could not be fetched.
        format: ``JPEG``, ``PNG`` or whatever else it is; None where that cannot be told.
        bytes: Size of the file.
        width: Pixels as stored, before Exif turns them.
        height: Pixels as stored.
        etag: What the server called this version.
        last_modified: Since when the server has this version, in its words.
        rule: The rule it breaks; None for a good one.
        limit: What the rule allows.
        advice: What to do.
        warnings: What is not as it should be and breaks no rule.
        used_url: Our repaired copy, which the vendor gets instead.
        checked_at: When it was last held to the rules; None for one that is about to be stored.
    """

    url: str
    role: ImageRole
    sha256: str | None = None
    format: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    rule: str | None = None
    measured: str | None = None
    limit: str | None = None
    advice: str | None = None
    warnings: tuple[str, ...] = ()
    used_url: str | None = None
    checked_at: datetime | None = None

    @property
    def good(self) -> bool:
        """Whether it may go to the vendor."""
        return self.rule is None and self.sha256 is not None


_NAMES = tuple(field.name for field in fields(KnownImage))
_WARNINGS = _NAMES.index("warnings") - 2  # behind url and role
_ROLES = {role.value: role for role in ImageRole}


def url_sha256(url: str) -> str:
    """Give the digest of an address, under which it is stored."""
    return hashlib.sha256(url.encode()).hexdigest()


def load_images(connection: Connection, keys: Collection[ImageKey]) -> dict[ImageKey, KnownImage]:
    """Read what is known of pictures; those never checked are missing.

    Args:
    """
    digests = {url_sha256(url) for url, _ in keys}
    rows = connection.execute(
        select(*(images.c[name] for name in _NAMES)).where(images.c.url_sha256 == func.any(sorted(digests)))
    ).all()
    found = [_image_of(row) for row in rows]
    return {(image.url, image.role): image for image in found if (image.url, image.role) in keys}


def store_images(connection: Connection, found: Sequence[KnownImage]) -> None:
    """Write what preflight found; it takes the place of what was known.

    Args:
        found: Each address and role once.
    """
    if not found:
        return
    statement = insert(images)
    replaced = {
        name: statement.excluded[name] for name in _NAMES if name not in {"url", "role", "checked_at"}
    }
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["url_sha256", "role"], set_={**replaced, "checked_at": func.now()}
        ),
        [_row_of(image) for image in _in_one_order(found)],
    )


def count_repaired(connection: Connection, run_id: str) -> int:
    """Count the pictures of a run of which the vendor gets a copy of ours."""
    sent = or_(
        *(
            looks.c[name] == images.c.used_url
            for name in ("model_image", "tops_image", "pants_image", "mask_image")
        )
    )
    of_run = run_looks.c.run_id == run_id
    return connection.execute(
        select(func.count(images.c.url_sha256.distinct()))
        .select_from(run_looks.join(looks, looks.c.key == run_looks.c.look_key).join(images, sent))
        .where(of_run, images.c.used_url.is_not(None))
    ).scalar_one()


def _in_one_order(found: Iterable[KnownImage]) -> list[KnownImage]:
    """Sort by primary key, so that two runs that store the same pictures cannot deadlock."""
    return sorted(found, key=lambda image: (url_sha256(image.url), image.role))


def _row_of(image: KnownImage) -> dict[str, Any]:
    row = {name: getattr(image, name) for name in _NAMES if name != "checked_at"}
    return {
        **row,
        "url_sha256": url_sha256(image.url),
        "role": image.role.value,
        "warnings": list(image.warnings),
    }


def _image_of(row: Any) -> KnownImage:
    # By place: a hundred thousand of them are read for one export, and a row's own mapping takes its time.
    url, role, *facts = row
    facts[_WARNINGS] = tuple(facts[_WARNINGS])
    return KnownImage(url, _ROLES[role], *facts)
