"""Reading a list of faults from JSON, and saying in plain words what is wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from tryon_sandbox.faults import FAULT_LIST, Fault

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KINDS = tuple(get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(Fault)[0]))
"""Every kind of fault there is."""

_NO_KIND = {"union_tag_invalid", "union_tag_not_found"}


class FaultsError(ValueError):
    """A list of faults that is none.

    Args:
        problems: Where something is wrong, such as `[0].seconds`, and what.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("\n".join(f"{where}: {problem}" for where, problem in problems))
        self.problems = problems


def read_faults(content: bytes) -> list[Fault]:
    """The faults of a JSON list. Raises FaultsError."""
    try:
        return FAULT_LIST.validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise FaultsError(tuple(_problem(each) for each in found)) from error


def _problem(error: ErrorDetails) -> tuple[str, str]:
    number, *within = error["loc"] or (None,)
    if number is None:
        return "a JSON list of faults is wanted", error["msg"]
    if error["type"] in _NO_KIND:
        return f"[{number}].kind", f"the kinds are {', '.join(KINDS)}"
    fields = [str(each) for each in within[1:]]  # the first is the kind
    return ".".join([f"[{number}]", *fields]), error["msg"].removeprefix("Value error, ")
