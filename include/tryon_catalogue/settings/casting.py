"""What the shop wants pictures of: the people to be dressed, and the casting rules; its export has a module of its own.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from enum import StrEnum
from functools import cached_property

from pydantic import Field, model_validator

from damo_tryon.contract import MAX_INFERENCE_NUM, MIN_INFERENCE_NUM, FitType, url_problem
from tryon_catalogue.settings.export import ExportColumns, ExportSettings, normal_name
from tryon_catalogue.settings.types import Name, Names, OptionalName, Section
from tryon_catalogue.urls import canonical_url

__all__ = [
    "CastingRule",
    "ExportColumns",
    "ExportSettings",
    "Pants",
    "Roster",
    "RosterModel",
    "normal_name",
]


class RosterModel(Section):
    """One person to be dressed."""

    name: Name = Field(description="what the model is called in reports; unique")
    image: Name = Field(description="URL of the picture, or a name that [roster] base_url is put before")
    tags: frozenset[Name] = Field(frozenset(), description="what rules and the export choose the model by")
    mask_image: OptionalName = Field(None, description="URL or name of a mask of the picture")

    @cached_property
    def tag_names(self) -> frozenset[str]:
        """The tags as they are compared: without regard to case or surrounding spaces."""
        return frozenset(normal_name(tag) for tag in self.tags)


class Roster(Section):
    """The models there are, in the order in which they are cast."""

    base_url: OptionalName = Field(None, description="put before each image that is not a URL by itself")
    models: tuple[RosterModel, ...] = Field((), description="the [[roster.models]]")

    @model_validator(mode="after")
    def _names_are_unique_and_images_have_urls(self) -> "Roster":
        names = [model.name for model in self.models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"models of the same name: {', '.join(twice)}; each name is expected once")
        for model in self.models:
            for image in (model.image, model.mask_image or ""):
                problem = url_problem(self.url(image)) if image else None
                if problem is not None:
                    hint = "" if "://" in image or self.base_url else "; base_url may be missing"
                    raise ValueError(f"model {model.name!r}: the image {self.url(image)!r} {problem}{hint}")
        return self

    def url(self, image: str) -> str:
        """Give the URL of a roster image: itself when it is one, else the name put after ``base_url``; in ASCII."""
        if "://" in image or self.base_url is None:
            return canonical_url(image)
        return canonical_url(f"{self.base_url.rstrip('/')}/{image.lstrip('/')}")


class Pants(StrEnum):
    """What a rule says about trousers and skirts."""

    REQUIRED = "required"
    """A garment without them is rejected."""
    OPTIONAL = "optional"
    """They are sent where the export has them."""
    NEVER = "never"
    """They are left out even where the export has them: a dress, or a top shown alone."""


class CastingRule(Section):
    """How garments of some categories are cast. The first rule that names a garment's category counts."""

    category: Names = Field(description='one category or a list of them; "*" for every other')
    fit_type: FitType = Field(description="HALF_BODY or FULL_BODY")
    tag: OptionalName = Field(None, description="the tag of the models to use; left out: the export's tag")
    inference_num: int = Field(1, ge=MIN_INFERENCE_NUM, le=MAX_INFERENCE_NUM, description="pictures a look")
    pants: Pants = Field(Pants.OPTIONAL, description="required, optional or never")

    @cached_property
    def categories(self) -> frozenset[str]:
        """The categories as they are compared: without regard to case or surrounding spaces."""
        return frozenset(normal_name(name) for name in self.category)
