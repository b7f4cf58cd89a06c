"""A look: what is paid for, what it is known by, and the life it leads.

One look is one set of garments on one model with its fit type and number of pictures. This module gives it its key (the
same for the same work, whichever night or person asks for it) and the one table of the moves its state may make.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from damo_tryon.contract import MAX_INFERENCE_NUM, MIN_INFERENCE_NUM, FitType, TryOnTask

KEY_VERSION: Final = "look/1"
"""The first item of every key's canonical form. When that form changes, so does this."""

# Made once: a night makes a hundred thousand keys.
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
_NO_DIGESTS: Final[Mapping[str, str]] = MappingProxyType({})


class LookState(StrEnum):
    """Where a look stands. The values are what the ledger stores."""

    PLANNED = "PLANNED"
    """Known and wanted; nothing was sent, or what was sent is proved not to have been accepted."""
    SUBMITTING = "SUBMITTING"
    """The intent is committed; the call is about to be made, or was made and its answer is not yet known."""
    SUBMITTED = "SUBMITTED"
    """The vendor accepted it: there is a result key, and it is paid for."""
    SUCCEEDED = "SUCCEEDED"
    """The vendor has made the pictures; their links are alive for a short while."""
    PUBLISHED = "PUBLISHED"
    """The pictures are archived, labelled and written to the catalogue."""
    REJECTED = "REJECTED"
    """Our rules, or the vendor for a reason of this very look, refused it; nothing was paid."""
    FAILED = "FAILED"
    """The vendor accepted it and made no picture of it, or a person gave up a look in doubt."""
    IN_DOUBT = "IN_DOUBT"
    """It was sent and the answer never came: it may be paid for. A person or a setting decides."""
    REVIEW = "REVIEW"
    """Paid for, but its picture did not pass our own check, or is not to be had. A person decides."""

    @property
    def ended(self) -> bool:
        """True when nothing more happens to the look by itself. IN_DOUBT is a known place, not an end."""
        return _ENDED[self]


_ENDED: Final[Mapping[LookState, bool]] = MappingProxyType(
    {
        LookState.PLANNED: False,
        LookState.SUBMITTING: False,
        LookState.SUBMITTED: False,
        LookState.SUCCEEDED: False,
        LookState.PUBLISHED: True,
        LookState.REJECTED: True,
        LookState.FAILED: True,
        LookState.IN_DOUBT: False,
        LookState.REVIEW: True,
    }
)

MOVES: Final[Mapping[LookState, frozenset[LookState]]] = MappingProxyType(
    {
        LookState.PLANNED: frozenset(
            {
                LookState.SUBMITTING,  # it was claimed, and its intent is committed before the call
                LookState.REJECTED,  # preflight found that an image breaks a rule
                LookState.REVIEW,  # a person does not want it made again after all
            }
        ),
        LookState.SUBMITTING: frozenset(
            {
                LookState.SUBMITTED,  # the vendor answered with a result key
                LookState.PLANNED,  # it is proved that nothing was accepted: free to go again
                LookState.REJECTED,  # the vendor refused this very look, standing alone
                LookState.IN_DOUBT,  # the answer never came
            }
        ),
        LookState.SUBMITTED: frozenset(
            {
                LookState.SUCCEEDED,  # its sub-task ended in SUCCESS
                LookState.FAILED,  # its sub-task, or the job as a whole, ended in FAILED
                LookState.REVIEW,  # its result key has not been known to the vendor for too long
            }
        ),
        LookState.SUCCEEDED: frozenset(
            {
                LookState.PUBLISHED,  # its pictures are archived and passed our check
                LookState.REVIEW,  # a picture did not pass, or could not be fetched any more
            }
        ),
        LookState.IN_DOUBT: frozenset(
            {
                LookState.SUBMITTED,  # a person found its result key
                LookState.PLANNED,  # declared lost, by a person's or a setting's word: it may be paid twice
                LookState.REJECTED,  # the answer came late: the vendor refused this very look
                LookState.FAILED,  # given up: it is not sent again
            }
        ),
        LookState.REVIEW: frozenset(
            {
                LookState.PUBLISHED,  # a person finds the picture good
                LookState.PLANNED,  # a person wants it made, and paid for, again
                LookState.SUBMITTED,  # a person has the vendor asked once more for what could not be had
                LookState.FAILED,  # a person refuses its pictures for good
            }
        ),
        LookState.FAILED: frozenset(
            {
                LookState.PLANNED,  # tried again, by a person's or a setting's word
                LookState.REVIEW,  # a person takes the refusal of its pictures back
            }
        ),
        LookState.REJECTED: frozenset({LookState.PLANNED}),  # what it was rejected for has been put right
        LookState.PUBLISHED: frozenset(
            {
                LookState.PLANNED,  # a person pays for it twice, by his explicit word
                LookState.REVIEW,  # a person takes an acceptance back
            }
        ),
    }
)
"""Every move a look's state may make. What is not here is a bug, and the ledger refuses it."""


@dataclass(frozen=True, slots=True)
class Look:
    """One set of garments on one model: the unit that is paid for.

    Args:
        fit_type: half body or full body; holds for a whole submission (vendor document, section 5.1).
        inference_num: pictures to make, 1 to 4 (vendor document, section 5.1).
        model: name of the model in the roster; "" when the export named the picture itself.
        model_image: URL of the picture of the person.
        tops_image: URL of the top, or of a dress.
        pants_image: URL of the trousers or skirt; None when there is none.
        mask_image: URL of a mask of the model's picture; None when there is none.

    Raises:
        ValueError: an image is an empty string (the vendor takes "" for "none", so it would be the same work
            under another key), or ``inference_num`` is out of its limits.
    """

    fit_type: FitType
    inference_num: int
    model: str
    model_image: str
    tops_image: str
    pants_image: str | None = None
    mask_image: str | None = None

    def __post_init__(self) -> None:
        for name in ("model_image", "tops_image", "pants_image", "mask_image"):
            if getattr(self, name) == "":
                raise ValueError(f"a look's {name} is an empty string; give a URL, or None for no image")
        if not MIN_INFERENCE_NUM <= self.inference_num <= MAX_INFERENCE_NUM:
            raise ValueError(
                f"a look's inference_num is {self.inference_num}; "
                f"the vendor makes {MIN_INFERENCE_NUM} to {MAX_INFERENCE_NUM} pictures"
            )

    @property
    def key(self) -> str:
        """The look's key while only the URLs of its images are known: SHA-256, 64 hex digits."""
        return self.key_with(_NO_DIGESTS)

    def key_with(self, digests: Mapping[str, str]) -> str:
        """Give the look's key with each image known by its bytes where they have been fetched.

        Args:
            digests: URL -> SHA-256 of the image's bytes in hex. A URL missing here is known by itself.

        Returns:
            SHA-256, 64 hex digits. Equal pictures behind different URLs give one key; so does a moved file.
        """
        return look_key(self.fit_type, self.inference_num, [identity(url, digests) for url in self.images])

    @property
    def images(self) -> tuple[str, str, str | None, str | None]:
        """The URLs in the order in which they enter the key: model, tops, pants, mask."""
        return (self.model_image, self.tops_image, self.pants_image, self.mask_image)

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs that are there, in the order of `images`: what preflight fetches."""
        return tuple(url for url in self.images if url is not None)

    def to_task(self) -> TryOnTask:
        """Give the look as one element of a submission's task list (vendor document, section 5.1)."""
        return TryOnTask(
            model_image=self.model_image,
            tops_image=self.tops_image,
            pants_image=self.pants_image,
            mask_image=self.mask_image,
        )


Identity = tuple[str, str]
"""How one image is known: ("sha256", digest of its bytes) or ("url", its URL)."""


def identity(url: str | None, digests: Mapping[str, str] = _NO_DIGESTS) -> Identity | None:
    """Give an image's identity: the digest of its bytes when that is known, else its URL; None for no image.

    The two kinds are told apart, so that a URL that looks like a digest is still a URL.
    """
    if url is None:
        return None
    digest = digests.get(url)
    return ("url", url) if digest is None else ("sha256", digest.lower())


def look_key(fit_type: FitType, inference_num: int, identities: Sequence[Identity | None]) -> str:
    """Give the key of a look: SHA-256 over its canonical form, in hex.

    The canonical form is a JSON list, so that no two looks share one: parts cannot run into each other, and
    an image that is absent (null) is not an empty one (a pair with an empty string).

    Args:
        fit_type: as of the look.
        inference_num: as of the look.
        identities: of the model's, tops', pants' and mask's image, in this order; None where there is none.
    """
    parts = [KEY_VERSION, str(fit_type), inference_num, list(identities)]
    return hashlib.sha256(_CANONICAL.encode(parts).encode("ascii")).hexdigest()
