"""The settings: one TOML file, checked whole before anything runs, with environment variables on top.

`load_settings` reads ``include/tryon.toml``, or the file that ``TRYON_SETTINGS`` names; each key can be
overridden by ``TRYON_<SECTION>__<KEY>`` (lists as JSON). What cannot be right raises one `SettingsError` that
lists every problem. Secrets have no place here: they live in Airflow connections. This module must not
import Airflow, pandas or a database: DAG files read it each time they are parsed.
"""

import os
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as _UnreadableVariable

from damo_tryon.contract import MAX_INFERENCE_NUM, MIN_INFERENCE_NUM, FitType, url_problem
from tryon_catalogue._settings_problems import SettingsError, problems_of, read_toml, stray_variables
from tryon_catalogue._settings_types import (
    Delimiter,
    Encoding,
    Identifier,
    Name,
    Names,
    OptionalIdentifier,
    OptionalName,
    PathTemplate,
    Section,
    TableName,
)

__all__ = [
    "ANY_CATEGORY",
    "DEFAULT_FILE",
    "ENV_FILE",
    "ENV_PREFIX",
    "AccountSettings",
    "ArchiveSettings",
    "BatchSettings",
    "CastingRule",
    "CatalogueColumns",
    "CatalogueSettings",
    "ExportColumns",
    "ExportSettings",
    "FetchSettings",
    "LedgerSettings",
    "Pants",
    "Price",
    "Roster",
    "RosterModel",
    "Settings",
    "SettingsError",
    "Use",
    "VendorSettings",
    "load_settings",
    "normal_name",
]

ENV_PREFIX: Final = "TRYON_"
ENV_FILE: Final = "TRYON_SETTINGS"
DEFAULT_FILE: Final = Path(__file__).resolve().parent.parent / "tryon.toml"
ANY_CATEGORY: Final = "*"


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


class VendorSettings(Section):
    """How the vendor is reached and how long it is waited for."""

    conn_id: Name = Field("damo_tryon", description="Airflow connection of the vendor")
    wait_minutes: float = Field(
        60, gt=0, description="minutes a submission may take before its task gives up"
    )
    first_poll_seconds: float = Field(5, gt=0, description="seconds until the first look at a submission")
    max_poll_seconds: float = Field(60, gt=0, description="the longest pause between two looks, in seconds")

    @model_validator(mode="after")
    def _polls_grow(self) -> "VendorSettings":
        if self.max_poll_seconds < self.first_poll_seconds:
            raise ValueError("max_poll_seconds is expected to be at least first_poll_seconds")
        return self


class Use(StrEnum):
    """What the vendor charges one use for. Its document does not say; a picture is the careful reading."""

    PICTURE = "picture"
    LOOK = "look"
    SUBMISSION = "submission"


class Price(Section):
    """What the vendor charges: it seems 475 CNY for 500 uses, so 0.95 each (vendor document, section 2)."""

    currency: Name = Field("CNY", description="the currency's code, for reports")
    per_use: Decimal = Field(Decimal("0.95"), ge=0, description="price of one use")
    use: Use = Field(Use.PICTURE, description="what one use is: picture, look or submission")

    def uses(self, *, looks: int, pictures: int, submissions: int) -> int:
        """Give how many uses are charged for so many looks with so many pictures in so many submissions."""
        return {Use.PICTURE: pictures, Use.LOOK: looks, Use.SUBMISSION: submissions}[self.use]

    def cost(self, *, looks: int, pictures: int, submissions: int) -> Decimal:
        """Give the price, in ``currency``, of what `uses` counts."""
        return self.per_use * self.uses(looks=looks, pictures=pictures, submissions=submissions)


class CatalogueColumns(Section):
    """The shop's columns that are written. Only the named ones are."""

    picture_url: OptionalIdentifier = Field(None, description="the column for the first picture's URL")
    picture_urls: OptionalIdentifier = Field(None, description="the column for the URLs of all pictures")
    status: OptionalIdentifier = Field(None, description="the column for what became of the garment")
    detail: OptionalIdentifier = Field(None, description="the column for the reason in words")
    updated_at: OptionalIdentifier = Field(None, description="the column for the time of writing")

    @property
    def named(self) -> dict[str, str]:
        """Our word -> the shop's column, for the columns that are to be written."""
        return {ours: theirs for ours, theirs in self if theirs is not None}


class CatalogueSettings(Section):
    """The shop's catalogue table."""

    conn_id: Name = Field("catalogue_db", description="Airflow connection of the database")
    table: TableName = Field(description="table or schema.table")
    key: Identifier = Field(description="the column that holds the sku")
    columns: CatalogueColumns = Field(description="the columns that may be written")

    @model_validator(mode="after")
    def _columns_are_apart(self) -> "CatalogueSettings":
        written = list(self.columns.named.values())
        if not written:
            raise ValueError(
                f"columns: at least one of {', '.join(CatalogueColumns.model_fields)} is expected"
            )
        if len({self.key, *written}) != len(written) + 1:
            raise ValueError("each of the key and the columns is expected to be a column of its own")
        return self

    @property
    def schema_name(self) -> str | None:
        """The schema part of ``table``; None when the database's search path decides."""
        return self.table.split(".", 1)[0] if "." in self.table else None

    @property
    def table_name(self) -> str:
        """The table's own name."""
        return self.table.rsplit(".", 1)[-1]


class LedgerSettings(Section):
    """Where our own tables are: in the database of [catalogue], in a schema of their own."""

    # `schema` is a method of pydantic's models, hence the longer name in Python.
    schema_name: Identifier = Field("tryon", alias="schema", description="PostgreSQL schema of the ledger")


class ArchiveSettings(Section):
    """Where the pictures are kept."""

    path: Name = Field("archive", description="folder or object storage URL for the pictures")
    conn_id: OptionalName = Field(None, description="Airflow connection of the object storage")
    public_url: OptionalName = Field(None, description="base URL of the archive for the catalogue's readers")


class BatchSettings(Section):
    """How a run is cut into mapped tasks."""

    submissions_per_batch: int = Field(1, ge=1, description="the fewest submissions a mapped task carries")
    max_batches: int = Field(200, ge=1, le=1000, description="the most mapped tasks of a run")
    pool: Name = Field("damo_tryon", description="the Airflow pool that bounds what is in flight")
    pool_slots: int = Field(16, ge=1, description="batches in flight at once, those being waited for included")

    def size_for(self, submissions: int) -> int:
        """Give the submissions a batch carries in a run of so many, so that ``max_batches`` are enough."""
        return max(self.submissions_per_batch, -(-submissions // self.max_batches))


class NightSettings(Section):
    """When the night runs."""

    schedule: OptionalName = Field("0 2 * * *", description="cron, in UTC; empty for runs by hand only")


class AccountSettings(Section):
    """When a run is red. A run in which something was tried and nothing succeeded is red whatever is set."""

    min_success: float = Field(0.5, ge=0, le=1, description="share of what was tried, from 0 to 1")


class FetchSettings(Section):
    """What a result picture may be when it is fetched."""

    max_bytes: int = Field(30_000_000, ge=1, description="the largest file, in bytes")
    timeout_seconds: float = Field(60, gt=0, description="the longest time for one file, in seconds")
    max_redirects: int = Field(3, ge=0, description="the most redirects followed")
    max_pixels: int = Field(50_000_000, ge=1, description="the largest picture, width times height")
    allow_private: bool = Field(False, description="whether private and loopback addresses are allowed")


class Settings(BaseSettings):
    """Everything that can be set. Use `load_settings`, which knows the file."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    export: ExportSettings
    roster: Roster = Field(default_factory=Roster)
    rules: tuple[CastingRule, ...] = Field(min_length=1)
    vendor: VendorSettings = Field(default_factory=VendorSettings)
    price: Price = Field(default_factory=Price)
    catalogue: CatalogueSettings
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)
    batches: BatchSettings = Field(default_factory=BatchSettings)
    night: NightSettings = Field(default_factory=NightSettings)
    account: AccountSettings = Field(default_factory=AccountSettings)
    fetch: FetchSettings = Field(default_factory=FetchSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment before the file, whose content `load_settings` hands in."""
        return (env_settings, init_settings)

    @model_validator(mode="after")
    def _every_rule_can_count(self) -> "Settings":
        decided: dict[str, int] = {}
        tags = {tag for model in self.roster.models for tag in model.tag_names}
        for number, rule in enumerate(self.rules, start=1):
            if rule.tag is not None and normal_name(rule.tag) not in tags:
                raise ValueError(
                    f"rules[{number}].tag = {rule.tag!r}: a tag of a model of the roster is expected"
                )
            for category in sorted(rule.categories):
                earlier = decided.get(category) or decided.get(ANY_CATEGORY)
                if earlier:
                    raise ValueError(
                        f"rules[{number}] never counts for {category!r}: rules[{earlier}] comes first"
                    )
            decided.update(dict.fromkeys(rule.categories, number))
        return self


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the settings.

    Args:
        path: the settings file; without it the one ``TRYON_SETTINGS`` names, else ``include/tryon.toml``.

    Returns:
        The settings, with relative paths resolved against the file's folder.

    Raises:
        SettingsError: the file is missing, is no TOML, or something in it or in the environment is wrong.
    """
    file = (path or Path(os.environ.get(ENV_FILE) or DEFAULT_FILE)).resolve()
    content = read_toml(file, hint=f"{ENV_FILE} may name another file")
    stray = stray_variables(Settings, ENV_PREFIX)
    if stray:
        raise SettingsError(file, stray)
    try:
        settings = Settings(**content)
    except ValidationError as wrong:
        # Without the cause: pydantic's own text repeats the values, a password in a URL among them.
        raise SettingsError(file, problems_of(wrong, Settings, ENV_PREFIX)) from None
    except _UnreadableVariable as wrong:
        raise SettingsError(file, (f"in the environment: {wrong}; JSON is expected there",)) from wrong
    return _resolved(settings, file.parent)


def _resolved(settings: Settings, folder: Path) -> Settings:
    template_folder = str(folder).replace("{", "{{").replace("}", "}}")
    export = settings.export.model_copy(update={"path": _against(template_folder, settings.export.path)})
    archive = settings.archive.model_copy(update={"path": _against(str(folder), settings.archive.path)})
    return settings.model_copy(update={"export": export, "archive": archive})


def _against(folder: str, path: str) -> str:
    return path if "://" in path else str(Path(folder, path))
