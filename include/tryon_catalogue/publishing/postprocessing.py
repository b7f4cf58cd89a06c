"""Post-process the pictures that the vendor made of a look: judge them, sort them best first, label and archive them.

Bytes go in, rows of the table ``pictures`` come out; nothing is written to the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from tryon_catalogue.pictures.archive import Archive, PictureName
from tryon_catalogue.pictures.fetch import FetchError, measured
from tryon_catalogue.pictures.reading import small_copy
from tryon_catalogue.pictures.rules import THUMBNAIL_PX, thumbnail
from tryon_catalogue.publishing.judgement import Inputs, Judgement, Shrunk, judge
from tryon_catalogue.publishing.labels import Label, label
from tryon_catalogue.publishing.labels.marks import mark
from tryon_catalogue.words import counted

if TYPE_CHECKING:
    from tryon_catalogue.looks import Look
    from tryon_catalogue.pictures.archive import Archived, ArchivedPicture
    from tryon_catalogue.pictures.fetch import Fetched
    from tryon_catalogue.publishing.judgement import Score
    from tryon_catalogue.settings import Settings
    from tryon_catalogue.settings.judgement import JudgementSettings

INPUTS_KEPT: Final = 64
"""Small copies of models and garments, of some tens of kilobytes each."""


@dataclass(frozen=True, slots=True)
class Made:
    """A look that the vendor has made: what post-processing has to know of it.

    Attributes:
        look: What was asked for.
        result_key: Of the submission that made it.
        sku: The garment that its pictures are named after; empty for none.
        collection: Of the garment.
        digests: Of the model's, tops', pants' and mask's picture, hex; None where there is none.
        model_size: Width and height of the model's picture in pixels; None where it is not known.
    """

    key: str
    look: Look
    result_key: str
    sku: str
    title: str
    collection: str
    digests: tuple[str | None, str | None, str | None, str | None]
    model_size: tuple[int, int] | None

    def name(self, number: int) -> PictureName:
        """Name one of its pictures for the archive."""
        attempt = hashlib.sha256(self.result_key.encode()).hexdigest()[:8]
        return PictureName(self.collection, self.sku, self.look.model, self.key, attempt, number)

    def source(self, number: int) -> str:
        """Name the vendor's picture that one was made from, for the label inside the file."""
        return f"{self.result_key} {self.key[:10]} {number + 1}"


@dataclass(frozen=True, slots=True)
class Finished:
    """The archived pictures of a look, and whether a person should look at them.

    Attributes:
        rows: Of the table ``pictures``, the best first; each has what speaks against that picture.
        trouble: Why a person should decide whatever the pictures are like; empty when nothing is the matter.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""

    @property
    def good(self) -> int:
        """How many pictures nothing speaks against."""
        return sum(not row["doubts"] for row in self.rows)

    @property
    def doubts(self) -> str:
        """What speaks against the look, by the number of each file; empty when nothing does."""
        found = [
            f"picture {row['number'] + 1}: {line}"
            for row in self.rows
            for line in (row["doubts"] or "").splitlines()
        ]
        return "\n".join([self.trouble, *found] if self.trouble else found)


class Finisher:
    """Judges, labels and archives the pictures of looks.

    Args:
        settings: The archive, the judgement's limits, the labels.
    """

    def __init__(self, settings: Settings) -> None:
        self._archive = Archive(settings.archive)
        self._judgement: JudgementSettings = settings.judgement
        self._labels = settings.labels
        self._max_pixels = settings.fetch.max_pixels
        # A model is on many looks of a batch, and an archive may be far away.
        self._read_input = lru_cache(maxsize=INPUTS_KEPT)(self._archive.read_input)

    def find_archived(self, made: Made) -> Finished | None:
        """Find the pictures that an earlier try archived before it died; None unless all of them are there.

        They are written in their order, so where the last one is there, the others are of the same try.

        Returns:
            Where they are kept, and what speaks against them.

        Raises:
            OSError: The archive could not be read.
        """
        found: list[ArchivedPicture] = []
        while (archived := self._archive.find(made.name(len(found)))) is not None:
            found.append(archived)
        if len(found) < made.look.inference_num:
            return None
        try:
            pictures = [
                measured(archived.place.url, archived.content, self._max_pixels) for archived in found
            ]
        except FetchError:
            return None  # it is to be fetched again
        judgement = self._judge(made, pictures)
        scores = [None] * len(found) if judgement is None else judgement.scores
        rows = [
            self._row(made, number, pictures[number], archived.place, scores[number])
            for number, archived in enumerate(found)
        ]
        return Finished(rows, trouble_with(made, rows))

    def finish(self, made: Made, pictures: Sequence[Fetched]) -> Finished:
        """Judge, label and archive the pictures of a look.

        Args:
            pictures: What the vendor made of it, in its order.

        Returns:
            Where they are kept, and what speaks against them.

        Raises:
            OSError: The archive did not take them.
            LabelError: A picture could not be labelled.
        """
        judgement = self._judge(made, pictures)
        order: Sequence[int] = range(len(pictures)) if judgement is None else judgement.best_first
        rows = [
            self._keep(made, number, original, pictures[original], judgement)
            for number, original in enumerate(order)
        ]
        return Finished(rows, trouble_with(made, rows))

    def _judge(self, made: Made, pictures: Sequence[Fetched]) -> Judgement | None:
        if not self._judgement.enabled or not pictures:
            return None
        model, tops, pants, mask = (
            None if digest is None else self._read_input(digest) for digest in made.digests
        )
        inputs = Inputs(
            model=model,
            tops=tops,
            pants=pants,
            mask=mask,
            model_size=made.model_size,
            wears_pants=made.look.pants_image is not None,
        )
        sights = [Shrunk(picture.small, _upright_size(picture)) for picture in pictures]
        return judge(inputs, sights, self._judgement)

    def _keep(
        self, made: Made, number: int, original: int, picture: Fetched, judgement: Judgement | None
    ) -> dict[str, Any]:
        """Archive one picture; returns its row.

        Args:
            number: Its place among ours, from 0.
            original: Its place among the vendor's.
        """
        content = self._labelled(made, original, picture.content)
        final = replace(picture, content=content, sha256=hashlib.sha256(content).hexdigest())
        place = self._archive.put(made.name(number), final)
        score = None if judgement is None else judgement.scores[original]
        # What is drawn into a picture is to be seen in its small copy.
        small = thumbnail(content) if self._labels.mark else None
        return self._row(made, number, final, place, score, small=small)

    def _row(
        self,
        made: Made,
        number: int,
        picture: Fetched,
        place: Archived,
        score: Score | None,
        *,
        small: bytes | None = None,
    ) -> dict[str, Any]:
        """Store an archived picture's small copy, and give the picture's row.

        Args:
            small: Its small copy, where that is not of the picture as it was decoded.
        """
        small = small or small_copy(picture.small, THUMBNAIL_PX)
        return {
            "look_key": made.key,
            "number": number,
            "path": place.path,
            "url": place.url,
            "sha256": picture.sha256,
            "bytes": len(picture.content),
            "width": picture.width,
            "height": picture.height,
            "thumbnail": self._archive.put_thumbnail(made.name(number), small).path,
            "score": None if score is None else score.overall,
            "doubts": None if score is None else "\n".join(score.reasons) or None,
            "verdict": None
            if score is None
            else {
                result.check.value: {"value": result.value, "limit": result.limit, "passed": result.passed}
                for result in score.checks
            },
        }

    def _labelled(self, made: Made, original: int, content: bytes) -> bytes:
        if self._labels.mark:
            content = mark(content, self._labels.mark, self._labels.mark_font)
        if not self._labels.enabled:
            return content
        details = Label(self._labels.creator_tool, made.sku, made.title, made.source(original))
        return label(content, details)


def _upright_size(picture: Fetched) -> tuple[int, int]:
    turned = (picture.small.width > picture.small.height) != (picture.width > picture.height)
    return (picture.height, picture.width) if turned else (picture.width, picture.height)


def trouble_with(made: Made, rows: Sequence[dict[str, Any]]) -> str:
    """Say when other than what was paid for has come; empty when it is all there."""
    asked = made.look.inference_num
    if len(rows) == asked:
        return ""
    return f"{counted(len(rows), 'picture')} came, {asked} were asked and paid for; ask the vendor's support"
