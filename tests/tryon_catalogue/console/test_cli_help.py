"""What the command says of itself."""

from __future__ import annotations

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from tryon_catalogue.console.cli import app

COMMANDS = sorted(get_command(app).commands)


def test_without_a_command_all_of_them_are_listed() -> None:
    said = CliRunner().invoke(app, [], env={"COLUMNS": "120"}).output
    assert [name for name in COMMANDS if name not in said] == []
    assert {"demo", "doctor", "init", "sandbox", "status"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_in_a_sentence_what_it_does(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    usage, sentence = [line.strip() for line in result.output.splitlines() if line.strip()][:2]
    assert usage.startswith("Usage:")
    assert sentence.endswith(".")
