"""The settings: one TOML file, checked whole before anything runs, with environment variables on top.

`load_settings` reads ``include/tryon.toml``, or the file that ``TRYON_SETTINGS`` names; each key can be
overridden by ``TRYON_<SECTION>__<KEY>`` (lists as JSON). What cannot be right raises one `SettingsError` that
lists every problem. Secrets live in Airflow connections instead. No Airflow, pandas
or database is imported here, because DAG files read this each time they are parsed.
"""

import os
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as _UnreadableVariable

from tryon_catalogue.settings.casting import (
    CastingRule,
    ExportColumns,
    ExportSettings,
    Pants,
    Roster,
    RosterModel,
    normal_name,
)
from tryon_catalogue.settings.judgement import JudgementSettings
from tryon_catalogue.settings.labels import LabelSettings
from tryon_catalogue.settings.money import BudgetSettings, Order
from tryon_catalogue.settings.people import AlertSettings, NotesSettings
from tryon_catalogue.settings.places import (
    ArchiveSettings,
    CatalogueColumns,
    CatalogueSettings,
    FetchSettings,
    LedgerSettings,
)
from tryon_catalogue.settings.preflight import PreflightSettings
from tryon_catalogue.settings.problems import SettingsError, problems_of, read_toml, stray_variables
from tryon_catalogue.settings.runs import (
    AccountSettings,
    BackfillSettings,
    BatchSettings,
    NightSettings,
    RecoverySettings,
)
from tryon_catalogue.settings.vendor import OnDoubt, Price, SafetySettings, Use, VendorSettings

__all__ = [
    "ANY_CATEGORY",
    "DEFAULT_FILE",
    "ENV_FILE",
    "ENV_PREFIX",
    "AccountSettings",
    "AlertSettings",
    "ArchiveSettings",
    "BackfillSettings",
    "BatchSettings",
    "BudgetSettings",
    "CastingRule",
    "CatalogueColumns",
    "CatalogueSettings",
    "ExportColumns",
    "ExportSettings",
    "FetchSettings",
    "LedgerSettings",
    "NightSettings",
    "NotesSettings",
    "OnDoubt",
    "Pants",
    "PreflightSettings",
    "Price",
    "RecoverySettings",
    "Roster",
    "RosterModel",
    "SafetySettings",
    "Settings",
    "SettingsError",
    "Use",
    "VendorSettings",
    "load_settings",
    "normal_name",
    "settings_file",
]

ENV_PREFIX: Final = "TRYON_"
ENV_FILE: Final = "TRYON_SETTINGS"
DEFAULT_FILE: Final = Path(__file__).resolve().parents[2] / "tryon.toml"
ANY_CATEGORY: Final = "*"


class Settings(BaseSettings):
    """Everything that can be set. Use `load_settings`, which knows the file."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    export: ExportSettings
    roster: Roster = Field(default_factory=Roster)
    rules: tuple[CastingRule, ...] = Field(min_length=1)
    vendor: VendorSettings = Field(default_factory=VendorSettings)
    safety: SafetySettings = Field(default_factory=SafetySettings)
    price: Price = Field(default_factory=Price)
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    catalogue: CatalogueSettings
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)
    batches: BatchSettings = Field(default_factory=BatchSettings)
    night: NightSettings = Field(default_factory=NightSettings)
    backfill: BackfillSettings = Field(default_factory=BackfillSettings)
    recovery: RecoverySettings = Field(default_factory=RecoverySettings)
    account: AccountSettings = Field(default_factory=AccountSettings)
    fetch: FetchSettings = Field(default_factory=FetchSettings)
    preflight: PreflightSettings = Field(default_factory=PreflightSettings)
    judgement: JudgementSettings = Field(default_factory=JudgementSettings)
    labels: LabelSettings = Field(default_factory=LabelSettings)
    notes: NotesSettings = Field(default_factory=NotesSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)

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
    def _repaired_copies_can_be_fetched(self) -> "Settings":
        if self.preflight.repair and not self.archive.public_url:
            raise ValueError(
                "preflight.repair = true: archive.public_url is expected, from where the vendor gets what was repaired"
            )
        return self

    @model_validator(mode="after")
    def _the_order_is_known(self) -> "Settings":
        if self.budget.order is Order.PRIORITY and self.export.columns.priority is None:
            raise ValueError(
                'budget.order = "priority": export.columns.priority is expected, the column with the number'
            )
        return self

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


def settings_file() -> Path:
    """Give the settings file: the one ``TRYON_SETTINGS`` names, else ``include/tryon.toml``."""
    return Path(os.environ.get(ENV_FILE) or DEFAULT_FILE)


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the settings.

    Args:
        path: The settings file; without it the one ``TRYON_SETTINGS`` names, else ``include/tryon.toml``.

    Returns:
        The settings, with relative paths resolved against the file's folder.

    Raises:
        SettingsError: The file is missing, is no TOML, or something in it or in the environment is wrong.
    """
    file = (path or settings_file()).resolve()
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
    export = settings.export.model_copy(
        update={
            "path": _against(template_folder, settings.export.path),
            "request_roots": tuple(_against(str(folder), root) for root in settings.export.request_roots),
        }
    )
    archive = settings.archive.model_copy(update={"path": _against(str(folder), settings.archive.path)})
    return settings.model_copy(update={"export": export, "archive": archive})


def _against(folder: str, path: str) -> str:
    return path if "://" in path else str(Path(folder, path))
