"""The command, as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import typer
from tests.guards import GUARD
from typer.testing import CliRunner

from tryon_sandbox.cli import app, sandbox


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_first_line_is_json_the_url_answers_at_once_and_a_signal_ends_it_cleanly(
    how: signal.Signals, tmp_path: Path
) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"kind": "refuse", "code": 23500005}]')
    state = tmp_path / "state.db"
    command = [sys.executable, "-m", "tryon_sandbox", "--json", "--latency", "1", "--appcode", "abc"]
    command += ["--credits", "7", "--faults", str(faults), "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            started = json.loads(process.stdout.readline() if process.stdout else "")
            report = requests.get(started["url"] + "/_sandbox/charges", timeout=GUARD).json()
            planned = requests.get(started["url"] + "/_sandbox/faults", timeout=GUARD).json()
        finally:
            process.send_signal(how)
        rest, errors = process.communicate(timeout=GUARD)

    assert set(started) >= {"url", "appcode", "appkey", "appsecret"}
    assert started["appcode"] == "abc"
    assert started["url"].startswith("http://127.0.0.1:")
    assert report["credits_left"] == 7
    assert [each["kind"] for each in planned] == ["refuse"]
    assert (process.returncode, rest, errors) == (0, "", "")
    assert state.exists()


def test_another_application_can_mount_the_command() -> None:
    main = typer.Typer()
    main.command("other")(lambda: None)
    main.command("sandbox")(sandbox)

    shown = CliRunner().invoke(main, ["sandbox", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})

    assert shown.exit_code == 0
    for option in (
        "--host",
        "--port",
        "--latency",
        "--appcode",
        "--credits",
        "--json",
        "--faults",
        "--state",
    ):
        assert option in shown.output


def in_one_line(shown: str) -> str:
    """What is shown in a frame, without the frame."""
    return " ".join(shown.replace("│", " ").split())


def test_what_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "faults.json"
    wrong.write_text('[{"kind": "explode"}]')
    junk = tmp_path / "junk.db"
    junk.write_text("no database at all, and long enough to be looked at")
    runner = CliRunner()

    faults = runner.invoke(app, ["--faults", str(wrong)])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = runner.invoke(app, ["--port", str(taken.getsockname()[1])])

    nowhere = runner.invoke(app, ["--state", str(tmp_path / "no-folder" / "state.db")])
    unreadable = runner.invoke(app, ["--state", str(junk)])
    endless = runner.invoke(app, ["--submit-rate", "inf"])

    assert {each.exit_code for each in (faults, port, nowhere, unreadable, endless)} == {2}
    assert "is no list of faults [0].kind: the kinds are close" in in_one_line(faults.output)
    assert "cannot keep the state in" in in_one_line(nowhere.output)
    assert "file is not a database" in in_one_line(unreadable.output)
    assert "submit_rate is inf: a finite number" in in_one_line(endless.output)
    assert "cannot listen on 127.0.0.1:" in in_one_line(port.output)
