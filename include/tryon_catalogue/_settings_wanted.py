"""What the shop wants pictures of: its export, the people to be dressed, and the casting rules.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from datetime import date
from enum import StrEnum
from functools import cached_property

from pydantic import Field, model_validator

from damo_tryon.contract import MAX_INFERENCE_NUM, MIN_INFERENCE_NUM, FitType, url_problem
from tryon_catalogue._settings_types import (
    Delimiter,
    Encoding,
    Name,
    Names,
    OptionalName,
    PathTemplate,
    Section,
)


class ExportColumns(Section):
    """Which column of the export holds what. A part the shop does not have is left out."""

    sku: Name = Field("sku", description="the column with the garment's number")
    category: Name = Field("category", description="the column the casting rules go by")
    tops_image: Name = Field("tops_image", description="the column with the URL of the top or dress")
    title: OptionalName = Field(None, description="the column with the garment's name for people")
    collection: OptionalName = Field(None, description="the column with the garment's collection")
    tag: OptionalName = Field(None, description="the column with a tag of the roster, such as gender")
    pants_image: OptionalName = Field(None, description="the column with the URL of the trousers or skirt")
    mask_image: OptionalName = Field(None, description="the column with the URL of a mask of model_image")
    model_image: OptionalName = Field(None, description="the column with the URL of a person to dress")


class ExportSettings(Section):
    """Where the export of a date is, and how it is written."""

    path: PathTemplate = Field(description="path or URL of the export, with {ds} or {ds_nodash} for its date")
    conn_id: OptionalName = Field(None, description="Airflow connection of the object storage")
    encoding: Encoding = Field("auto", description='"auto" (UTF-8, else GB18030) or the name of an encoding')
    delimiter: Delimiter = Field(",", description="the character between two fields")
    chunk_rows: int = Field(5000, ge=1, le=1_000_000, description="rows held in memory at once")
    columns: ExportColumns = Field(default_factory=ExportColumns, description="names of the columns")

    def path_for(self, day: date) -> str:
        """Give the path or URL of the export of one date."""
        return self.path.format(ds=day.isoformat(), ds_nodash=day.strftime("%Y%m%d"))


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
        """Give the URL of a roster image: itself when it is one, else the name put after ``base_url``."""
        if "://" in image or self.base_url is None:
            return image
        return f"{self.base_url.rstrip('/')}/{image.lstrip('/')}"


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
        return frozenset(normal_name(one) for one in self.category)


def normal_name(name: str) -> str:
    """Give a category or tag as it is compared: people write `Dress`, `dress ` and mean one thing."""
    return name.strip().casefold()
