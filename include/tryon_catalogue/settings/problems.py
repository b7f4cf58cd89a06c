"""Wrong settings in words: which key, what stands there, what was expected, and where it came from.

It works on TOML, the environment, and pydantic's errors and models, whatever a setting is for.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_DELIMITER: Final = "__"
_LONGEST_VALUE: Final = 80
# `s3://connection@bucket` is a path; `s3://user:secret@host` carries a password.
_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^/\s@]*@")

Location = tuple[int | str, ...]


class SettingsError(Exception):
    """The settings cannot be used. The message names the file and has one line for each problem.

    Args:
        problems: One line each: the key's dotted path, its value, and what was expected.
    """

    def __init__(self, file: Path, problems: tuple[str, ...]) -> None:
        super().__init__(file, problems)
        self.file = file
        self.problems = problems

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"the settings in {self.file} cannot be used:{lines}"


def read_toml(file: Path, hint: str) -> dict[str, Any]:
    """Give the content of a TOML file.

    Args:
        hint: What a person can do when there is no such file.

    Raises:
        SettingsError: The file cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as wrong:
        raise SettingsError(file, (f"the file cannot be read ({wrong.strerror}); {hint}",)) from wrong
    except UnicodeDecodeError as wrong:
        raise SettingsError(file, (f"byte {wrong.start}: UTF-8 text is expected",)) from wrong
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError(file, (f"TOML is expected: {wrong}",)) from wrong


def problems_of(error: ValidationError, root: type[BaseModel], env_prefix: str) -> tuple[str, ...]:
    """Give one line for each problem pydantic found.

    Args:
        root: The model of the whole settings, to tell which keys there are.
        env_prefix: Beginning of the names of the environment variables.
    """
    details = error.errors(include_url=False)
    # A list whose items are wrong is reported as too short as well: only the deepest problem helps.
    deepest = [
        detail
        for detail in details
        if not any(len(detail["loc"]) < len(other["loc"]) and _within(other, detail) for other in details)
    ]
    return tuple(dict.fromkeys(_line(detail, root, env_prefix) for detail in deepest))


def stray_variables(root: type[BaseModel], env_prefix: str) -> tuple[str, ...]:
    """Give one line for each environment variable that looks like a setting of a section there is none of.

    A key that is wrong within a section is found by pydantic itself.
    """
    sections = set(root.model_fields)
    lines = []
    for variable in sorted(os.environ):
        section, delimiter, _ = variable.lower().removeprefix(env_prefix.lower()).partition(_DELIMITER)
        if variable.lower().startswith(env_prefix.lower()) and delimiter and section not in sections:
            lines.append(f"environment variable {variable}: {_known(section, sections)}")
    return tuple(lines)


def _within(inner: ErrorDetails, outer: ErrorDetails) -> bool:
    return inner["loc"][: len(outer["loc"])] == outer["loc"]


def _line(detail: ErrorDetails, root: type[BaseModel], env_prefix: str) -> str:
    location = detail["loc"]
    models = list(_models_along(root, location))
    dotted = _dotted(location)
    origin = _origin(location, env_prefix)
    match detail["type"]:
        case "missing":
            field = _field_description(models, location)
            return f"{dotted} is missing{origin}: {field} is expected"
        case "extra_forbidden":
            if instead := getattr(models[-1], "gone", {}).get(location[-1]):
                return f"{dotted}{origin}: there is no such key any more; {instead}"
            keys = _keys(models[-1]) if models else set()
            return f"{dotted}{origin}: {_known(str(location[-1]), keys)}"
        case "value_error":
            message = str(detail.get("ctx", {}).get("error", detail["msg"]))
        case _:
            message = detail["msg"]
    if isinstance(detail["input"], dict | BaseModel):
        return f"{dotted}{origin}: {message}".removeprefix(": ")
    return f"{dotted} = {_shown(detail['input'])}{origin}: {message}"


def _dotted(location: Location) -> str:
    """`("rules", 2, "tag")` -> `rules[3].tag`: people count from one."""
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _origin(location: Location, env_prefix: str) -> str:
    names = [str(part) for part in location]
    set_here = {name.upper(): name for name in os.environ}
    for length in range(len(names), 0, -1):
        variable = (env_prefix + _DELIMITER.join(names[:length])).upper()
        if variable in set_here:
            return f" (from environment variable {set_here[variable]})"
    within = f"{(env_prefix + _DELIMITER.join(names)).upper()}{_DELIMITER}"
    for variable, name in set_here.items():
        if variable.startswith(within):
            return f" (from environment variable {name})"
    return ""


def _shown(value: object) -> str:
    text = repr(value)
    if len(text) > _LONGEST_VALUE:
        text = f"{text[:_LONGEST_VALUE]}…"
    return _PASSWORD.sub(r"\1:***@", text)


def _known(name: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    return f"there is no such key; {hint}There are: {', '.join(sorted(known))}"


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _field_description(models: list[type[BaseModel]], location: Location) -> str:
    if models:
        for name, field in models[-1].model_fields.items():
            if location[-1] in (name, field.alias):
                return field.description or f"a section [{location[-1]}]"
    return "a value"


def _models_along(root: type[BaseModel], location: Location) -> Iterator[type[BaseModel]]:
    """Yield the models on the way to a location; the last one is the model that holds its last key."""
    yield root
    annotation: Any = root
    for part in location[:-1]:
        if isinstance(part, int):
            continue  # an item of a list: the list's model was found with its key
        field = next(
            (field for name, field in annotation.model_fields.items() if part in (name, field.alias)), None
        )
        found = None if field is None else _model_in(field.annotation)
        if found is None:
            return
        annotation = found
        yield found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, list, Union, UnionType):
        return next(
            (model for argument in get_args(annotation) if (model := _model_in(argument)) is not None), None
        )
    return None
