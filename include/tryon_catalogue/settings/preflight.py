"""Preflight: how the shop's pictures are fetched and held to the vendor's rules before anything is spent.

A section of the settings; ``settings`` puts them together and says where they are read.
"""

from typing import Literal

from pydantic import Field

from tryon_catalogue.settings.types import Section


class PreflightSettings(Section):
    """How pictures are checked before anything is spent."""

    at_once: int = Field(16, ge=1, le=100, description="pictures fetched at once")
    recheck_minutes: float = Field(
        60, ge=0, description="minutes for which a picture counts as unchanged without asking its server"
    )
    busy_minutes: float = Field(
        15, ge=0, description="minutes for which a run asks servers again that say they are busy"
    )
    repair: bool = Field(
        False,
        description="whether what breaks a rule by its file alone is put right and served from the archive",
    )
    person_check: bool = Field(
        False,
        description="whether models' pictures are looked at for people, on this machine; needs the extra person-check",
    )
    person_check_rejects: frozenset[Literal["nobody", "several_people", "lying", "small_person"]] = Field(
        frozenset({"nobody"}), description="what rejects a model's picture there; the others warn"
    )
