"""Lists of faults: what people write, what they are told, and what is written about them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from tryon_sandbox.calls import Endpoint
from tryon_sandbox.fault_list import KINDS, FaultsError, read_faults
from tryon_sandbox.faults import Fault
from tryon_sandbox.spoiling import Spoiling

DOCUMENT = Path(__file__).parents[2] / "include" / "docs" / "sandbox.md"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[{"kind": "close"}, {"kind": "explode"}]', "[1].kind: the kinds are close, lose_answer, "),
        (b'[{"path": "any"}]', "[0].kind: the kinds are close, "),
        (b'[{"kind": "delay", "seconds": -1}]', "[0].seconds: Input should be greater than 0"),
        (b'[{"kind": "fail_sub_task"}]', "[0]: give either index or url_contains"),
        (b'[{"kind": "gateway_error"}]', "[0]: give a code, a message, or both"),
        (b'[{"kind": "expire_early", "seconds": Infinity}]', "[0].seconds: Input should be a finite number"),
        (b"[3]", "[0]: Input should be an object"),
        (b'{"kind": "close"}', "a JSON list of faults is wanted: Input should be a valid array"),
        (b'[{"kind": "close"', "a JSON list of faults is wanted: Invalid JSON: "),
        (b'[{"kind": "close", "containing": "\\ud800"}]', "a JSON list of faults is wanted: Invalid JSON: "),
        (
            b'[{"kind": "close", "times": %s}]' % (b"9" * 5000),
            "a JSON list of faults is wanted: Invalid JSON: ",
        ),
    ],
)
def test_each_thing_wrong_is_said_in_one_line_with_its_place(content: bytes, expected: str) -> None:
    with pytest.raises(FaultsError) as error:
        read_faults(content)

    assert str(error.value).startswith(expected)
    assert "pydantic" not in str(error.value)
    assert len(str(error.value).splitlines()) == len(error.value.problems) == 1


def test_every_kind_of_fault_stands_in_the_document_with_a_line_that_works() -> None:
    rows = re.findall(r"^\| `(\{.*?\})` \| (.*) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    faults = read_faults(f"[{','.join(line for line, *_ in rows)}]".encode())

    assert [fault.kind for fault in faults] == list(KINDS)
    for fault, (_, _, where) in zip(faults, rows, strict=True):
        named = set(Endpoint) if where == "all" else set(where.split(", "))
        assert named == fault.can_happen_to, fault.kind


def test_every_field_and_every_way_to_spoil_a_picture_is_named_in_the_document() -> None:
    text = DOCUMENT.read_text()
    (union, *_) = get_args(Fault)
    fields = {name for kind in get_args(union) for name in kind.model_fields}

    assert [name for name in sorted(fields) if f'"{name}"' not in text and f"`{name}`" not in text] == []
    assert [way for way in Spoiling if f"`{way}`" not in text and json.dumps(way) not in text] == []
