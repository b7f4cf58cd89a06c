"""That what can be set can be found: in the project's own settings file, or in its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel

from tryon_catalogue.settings import DEFAULT_FILE, Settings

PROJECT: Final = Path(__file__).resolve().parents[3]
DOCUMENTS: Final = (PROJECT / "README.md", *sorted((PROJECT / "include" / "docs").glob("*.md")))
SECTION: Final = re.compile(r"(?:# )?\[{1,2}([\w.]+)\]{1,2}")
KEY: Final = re.compile(r"(?:# )?(\w+) = ")


def keys_of(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, str]]:
    """Every key that a model of the settings knows, with its section."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = list(models_in(field.annotation))
        for one in inner:
            yield from keys_of(one, f"{section}.{key}".lstrip("."))
        if not inner:
            yield section, key


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def keys_of_the_file() -> Iterator[tuple[str, str]]:
    """The keys that stand in the file under their section, those in comments too."""
    section = ""
    for line in DEFAULT_FILE.read_text(encoding="utf-8").splitlines():
        if found := SECTION.match(line):
            section = found[1]
        elif found := KEY.match(line):
            yield section, found[1]


def test_there_is_no_key_that_stands_neither_in_the_file_nor_in_a_document() -> None:
    documents = "\n".join(one.read_text(encoding="utf-8") for one in DOCUMENTS)
    in_code = {word for code in re.findall(r"`([^`\n]+)`", documents) for word in re.findall(r"\w+", code)}
    missing = set(keys_of(Settings)) - set(keys_of_the_file())
    assert {(section, key) for section, key in missing if key not in in_code} == set()


@pytest.mark.parametrize("section", ["judgement", "labels"])
def test_every_key_of_these_sections_stands_in_the_file(section: str) -> None:
    known = {key for one, key in keys_of(Settings) if one == section}
    assert known == {key for one, key in keys_of_the_file() if one == section}
