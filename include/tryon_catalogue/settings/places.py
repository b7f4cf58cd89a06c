"""Where things are kept: the shop's catalogue table, our ledger, the archive, and what may be fetched into it.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from pydantic import Field, model_validator

from tryon_catalogue.settings.types import (
    Identifier,
    Name,
    OptionalIdentifier,
    OptionalName,
    Section,
    TableName,
)


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


class HostHeader(Section):
    """A header that one host wants, such as the key of a CDN. Its value is the password of an Airflow connection."""

    host: Name = Field(description="the host that is sent it, and no other, over https")
    header: Name = Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description="the header's name")
    conn_id: Name = Field(description="Airflow connection whose password is the header's value")


class FetchSettings(Section):
    """How pictures are fetched, and what one may be."""

    max_bytes: int = Field(30_000_000, ge=1, description="the largest file, in bytes")
    timeout_seconds: float = Field(60, gt=0, description="the longest time for one file, in seconds")
    max_redirects: int = Field(3, ge=0, description="the most redirects followed")
    max_pixels: int = Field(50_000_000, ge=1, description="the largest picture, width times height")
    allow_private: bool = Field(False, description="whether private and loopback addresses are allowed")
    user_agent: Name = Field(
        "airflow-damo-tryon (pictures for virtual try-on)",
        pattern=r"^[ -~]+$",
        description="what we call ourselves to the servers of pictures",
    )
    hosts: tuple[HostHeader, ...] = Field(
        (), description="the [[fetch.hosts]]: headers that single hosts want"
    )
    give_up_hours: float = Field(
        24, gt=0, description="hours after which a look whose pictures cannot be had is left to a person"
    )
