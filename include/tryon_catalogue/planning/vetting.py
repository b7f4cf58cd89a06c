"""Vets the looks of garments by what preflight found of their pictures, and gives each look its key.

A garment whose own picture breaks a rule gets no look. A model of the roster whose picture does is left out, and the
garment is shown on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tryon_catalogue.exports import ROSTER_LINE, Rejection, with_place
from tryon_catalogue.pictures.fetch import shown
from tryon_catalogue.pictures.rules import ImageRole, ImageRule, mask_size_problem
from tryon_catalogue.planning.casting import Casting

if TYPE_CHECKING:
    from tryon_catalogue.exports import Chunk, Garment
    from tryon_catalogue.ledger.images import ImageKey, KnownImage
    from tryon_catalogue.looks import Look
    from tryon_catalogue.settings import ExportColumns, Settings


@dataclass(frozen=True, slots=True)
class VettedLook:
    """A look whose pictures may go to the vendor.

    Attributes:
        place: Among the looks that the garment was cast for, from 0.
        key: Made of the pictures' digests, so that the same pictures at other addresses are the same look.
        look: As it is sent: with the address of our repaired copy where there is one.
        digests: SHA-256 of the model's, tops', pants' and mask's picture, hex; None where there is none.
    """

    place: int
    key: str
    look: Look
    digests: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class VettedLooks:
    """The looks of a garment, vetted.

    Attributes:
        looks: Those that may be planned.
        rejections: Why others may not.
    """

    looks: tuple[VettedLook, ...]
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class GarmentLooks:
    """The looks of a garment that may be planned.

    Attributes:
        cast: How many it was cast for, those that its pictures rule out included.
    """

    garment: Garment
    cast: int
    looks: tuple[VettedLook, ...]


@dataclass(frozen=True, slots=True)
class VettedChunk:
    """What the rows of a chunk come to.

    Attributes:
        chunk: As it was read.
        garments: Those that give looks.
        rejections: Why other rows, or models of the roster, give none.
    """

    chunk: Chunk
    garments: tuple[GarmentLooks, ...]
    rejections: tuple[Rejection, ...]

    @property
    def rejected_rows(self) -> int:
        """Rows that cannot be used, whatever speaks against each."""
        return len({rejection.line for rejection in self.rejections if rejection.line > ROSTER_LINE})


@dataclass(frozen=True, slots=True)
class _Problem:
    """A picture that breaks a rule: which, and what was measured."""

    url: str
    rule: str
    measured: str
    limit: str
    advice: str


def image_keys(look: Look) -> tuple[ImageKey, ...]:
    """Give the pictures that a look needs, each with what it is to be."""
    keys = [(url, ImageRole.PICTURE) for url in look.images[:3] if url is not None]
    if look.mask_image is not None:
        keys.append((look.mask_image, ImageRole.MASK))
    return tuple(keys)


def vet_chunk(
    chunk: Chunk, settings: Settings, load: Callable[[Collection[ImageKey]], Mapping[ImageKey, KnownImage]]
) -> VettedChunk:
    """Cast the garments of a chunk, and vet their looks by what is known of their pictures.

    Args:
        load: Gives what is known of pictures.
    """
    rejections: list[Rejection] = list(chunk.rejections)
    cast_garments: list[tuple[Garment, tuple[Look, ...]]] = []
    casting = Casting(settings)
    for garment in chunk.garments:
        looks = casting.looks_of(garment)
        if isinstance(looks, Rejection):
            rejections.append(looks)
        else:
            cast_garments.append((garment, looks))
    known = load({image for _, looks in cast_garments for look in looks for image in image_keys(look)})
    garments: list[GarmentLooks] = []
    for garment, looks in cast_garments:
        vetted = vet_looks(garment, looks, known, settings.export.columns)
        rejections += vetted.rejections
        if vetted.looks:
            garments.append(GarmentLooks(garment, len(looks), vetted.looks))
    return VettedChunk(chunk, tuple(garments), tuple(rejections))


def vet_looks(
    garment: Garment, cast: Sequence[Look], known: Mapping[ImageKey, KnownImage], columns: ExportColumns
) -> VettedLooks:
    """Vet the looks of a garment by what is known of their pictures.

    Args:
        cast: The looks that the garment was cast for.
        known: What preflight found; a picture it never saw may not go to the vendor either.
    """
    vetted: list[VettedLook] = []
    of_roster: list[Rejection] = []
    for place, look in enumerate(cast):
        problem = _problem_of(look, known)
        if problem is None:
            vetted.append(_vetted(place, look, known))
            continue
        column = _column_of(garment, problem.url, columns)
        if column is not None:
            return VettedLooks((), (_of_row(garment, _rejection(column, problem)),))
        of_roster.append(_rejection(f"model {look.model}", problem))
    if not vetted and of_roster:
        # The row gets no look, and has a rejection of its own.
        of_roster.append(_of_row(garment, of_roster[0]))
    return VettedLooks(tuple(vetted), tuple(of_roster))


def _vetted(place: int, look: Look, known: Mapping[ImageKey, KnownImage]) -> VettedLook:
    found = {url: known[url, role] for url, role in image_keys(look)}
    digests = {url: image.sha256 for url, image in found.items() if image.sha256 is not None}
    of_look = tuple(None if url is None else digests[url] for url in look.images)
    return VettedLook(place, look.key_with(digests), _sent(look, found), of_look)


def _sent(look: Look, found: Mapping[str, KnownImage]) -> Look:
    """Give a look as the vendor gets it: with our repaired copies where there are any."""
    if not any(image.used_url for image in found.values()):
        return look
    used = {url: image.used_url or url for url, image in found.items()}
    return replace(
        look,
        model_image=used[look.model_image],
        tops_image=used[look.tops_image],
        pants_image=used.get(look.pants_image or ""),
        mask_image=used.get(look.mask_image or ""),
    )


def _problem_of(look: Look, known: Mapping[ImageKey, KnownImage]) -> _Problem | None:
    for url, role in image_keys(look):
        found = known.get((url, role))
        if found is None:
            advice = "The export changed while it was read, or names it in another role. Start the run again."
            return _Problem(
                url, ImageRule.UNCHECKED.value, "never checked", "checked before it is sent", advice
            )
        if not found.good:
            return _Problem(
                url, found.rule or "", found.measured or "", found.limit or "", found.advice or ""
            )
    return _mask_problem(look, known)


def _mask_problem(look: Look, known: Mapping[ImageKey, KnownImage]) -> _Problem | None:
    if look.mask_image is None:
        return None
    mask = known[look.mask_image, ImageRole.MASK]
    found = mask_size_problem(mask, known[look.model_image, ImageRole.PICTURE])
    if found is None:
        return None
    return _Problem(look.mask_image, found.rule.value, found.measured, found.limit, found.advice)


def _column_of(garment: Garment, url: str, columns: ExportColumns) -> str | None:
    """Give the column of the export that names a picture; None for one of the roster."""
    named = {
        garment.tops_image: columns.tops_image,
        garment.pants_image: columns.pants_image,
        garment.model_image: columns.model_image,
        garment.mask_image if garment.model_image else None: columns.mask_image,
    }
    named.pop(None, None)
    return (named[url] or "") if url in named else None


def _rejection(column: str, problem: _Problem) -> Rejection:
    """Give the rejection of a picture; it is the roster's unless a row is set."""
    return Rejection(
        line=ROSTER_LINE,
        sku="",
        rule=problem.rule,
        column=column,
        value="",
        image=shown(problem.url),
        measured=problem.measured,
        limit=problem.limit,
        reason=(
            f"{column or 'The picture'} {shown(problem.url)}: {problem.measured}; allowed: {problem.limit}. "
            f"{problem.advice}"
        ),
    )


def _of_row(garment: Garment, rejection: Rejection) -> Rejection:
    return replace(
        rejection, line=garment.line, sku=garment.sku, reason=with_place(garment.where, rejection.reason)
    )
