"""The kinds of value the settings are made of, and what is checked of each."""

import codecs
import re
from collections.abc import Mapping
from datetime import time
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _check_template(path: str) -> str:
    try:
        path.format(ds="2026-01-31", ds_nodash="20260131")
    except (KeyError, IndexError, ValueError, AttributeError) as wrong:
        raise ValueError("only {ds} and {ds_nodash} may stand in braces; {{ is a brace itself") from wrong
    return path


def _check_identifier(name: str) -> str:
    # Chinese column names are fine: identifiers are always quoted by whoever writes SQL with them.
    if not name.replace("$", "_").isidentifier() or len(name.encode()) > 63:
        raise ValueError("a name of letters, digits and underscores, at most 63 bytes, is expected")
    return name


def _check_table(name: str) -> str:
    for part in name.split(".", 1):
        _check_identifier(part)
    return name


def _check_encoding(name: str) -> str:
    if name == "auto":
        return name
    try:
        b"sku".decode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError) as wrong:
        raise ValueError(
            '"auto" or the name of a text encoding, such as "utf-8" or "gb18030", is expected'
        ) from wrong
    return name


def _check_delimiter(text: str) -> str:
    if len(text) != 1 or text in '"\r\n\0 ':
        raise ValueError(
            'one character is expected, such as "," or ";" or a tab, but no quotation mark or blank'
        )
    return text


def _hour(given: object) -> object:
    if given is None or given == "":
        return None
    # TOML has a time of its own, which needs seconds; people write 05:00 in quotation marks.
    if isinstance(given, time) or (
        isinstance(given, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", given)
    ):
        return given
    raise ValueError('an hour and minute in UTC are expected, such as "05:00"')


def _blank_is_none(value: object) -> object:
    # An environment variable cannot be "absent"; an empty one is how it takes a key of the file away.
    return None if value == "" else value


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
"""Any text but the empty one."""
OptionalName = Annotated[Name | None, BeforeValidator(_blank_is_none)]
"""Any text; "" is taken for "left out"."""
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
"""One text or a list of them."""
OptionalHour = Annotated[time | None, BeforeValidator(_hour)]
"""An hour and minute of the day, in UTC; "" is taken for "left out"."""
OneOrMore = Name | Annotated[tuple[Name, ...], Field(min_length=1)]
"""One text, or a list of them in an order that counts."""
PathTemplate = Annotated[Name, AfterValidator(_check_template)]
"""A path or URL in which {ds} and {ds_nodash} may stand for a date."""
Encoding = Annotated[str, AfterValidator(_check_encoding)]
""""auto" or the name of an encoding Python knows."""
Delimiter = Annotated[str, AfterValidator(_check_delimiter)]
"""The character between two fields of a CSV file."""
Identifier = Annotated[str, AfterValidator(_check_identifier)]
"""A name PostgreSQL can hold: of a schema, a table or a column."""
OptionalIdentifier = Annotated[Identifier | None, BeforeValidator(_blank_is_none)]
"""Such a name; "" is taken for "left out"."""
TableName = Annotated[str, AfterValidator(_check_table)]
"""`table` or `schema.table`."""


class Section(BaseModel):
    """One section of the settings: it cannot be changed, and an unknown key in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    gone: ClassVar[Mapping[str, str]] = {}
    """Keys that older releases knew -> what to do instead."""
