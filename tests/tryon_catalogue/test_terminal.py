"""What the commands print passes one edge, and a real terminal gets nothing there that it would obey."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine, func, insert, text, update

import tryon_catalogue
import tryon_demo
from damo_tryon.errors import OutcomeUnknownError
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, submit_now
from tryon_catalogue.ledger.tables import garment_looks, looks, rejections, runs, stops, submissions
from tryon_catalogue.terminal import Terminal, say, visible

EVIL = "\x1b[2J\x1b]0;owned\x07\x1b[7;5mA\u202eB\u2066C\x9b31mD\x9d0;x\x9cE\x85\x0b\x7fF\rG"
HARMLESS = "[2J]0;owned[7;5mABC31mD0;xEFG"
# What we send ourselves: colours, links to files, and where the cursor goes in a live display.
OURS = re.compile(r"\x1b\[(?:\d{1,3}(?:;\d{1,3})*)?m|\x1b\]8;[^\x1b\x07]*\x1b\\")
OBEYED = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

COMMANDS = (
    ("status",),
    ("spend",),
    ("spend", "--by", "run"),
    ("spend", "--by", "collection"),
    ("spend", "--by", "pack"),
    ("doubts",),
    ("doubts", "resolve", "99", "--lost"),
    ("doubts", "resolve", "1", "--lost", "--by", EVIL),
    ("review",),
    ("review", "accept", EVIL),
    ("review", "collect", "s-3"),
    ("retry", EVIL),
    ("retry", f"s-2{EVIL}"),
    ("preview", "evil.csv"),
    ("preview", f"none-{EVIL}.csv"),
    ("report", "--output", f"report-{EVIL}.html"),
    ("report", EVIL),
    ("resume", "--conn-id", EVIL),
    ("status", "--wrong"),
)

DRIVER = """
import json, sys
from tryon_catalogue.console import cli
for number, arguments in enumerate(json.load(open(sys.argv[1]))):
    sys.argv = ["tryon", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = "broken"
    print(f"\\n<{number}: {code}>", flush=True)
"""


def printed_calls(package: Path) -> Iterator[str]:
    """What prints in a package by other ways than the edge."""
    for path in package.rglob("*.py"):
        if path.name == "terminal.py" and path.parent == package:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in {"print", "Console", "rich.print", "typer.echo", "typer.secho", "click.echo"} or (
                    re.fullmatch(r"sys\.(__)?(stdout|stderr)(__)?\.(buffer\.)?write(lines)?", name)
                ):
                    yield f"{path.name}:{node.lineno}: {name}"


@pytest.mark.parametrize("package", [tryon_catalogue, tryon_demo])
def test_nothing_is_printed_but_through_the_edge(package: object) -> None:
    file = getattr(package, "__file__", None)
    assert file is not None
    assert list(printed_calls(Path(file).parent)) == []


def test_a_line_is_printed_without_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    assert visible(EVIL) == HARMLESS
    assert visible("two\n\tlines, 人 é 👩‍👧") == "two\n\tlines, 人 é 👩‍👧"
    say(EVIL)
    say(EVIL, err=True)
    assert capsys.readouterr() == (f"{HARMLESS}\n", f"{HARMLESS}\n")


def test_a_console_keeps_our_colours_and_leaves_out_those_of_others() -> None:
    screen = StringIO()
    console = Terminal(
        file=screen, force_terminal=True, width=120, color_system="standard", highlight=False, _environ={}
    )
    table = Table(title=EVIL)
    table.add_column(EVIL, style="green")
    table.add_row(Text(EVIL, style="bold red"))
    console.print(table)
    console.print(EVIL, markup=False)
    shown = screen.getvalue()
    assert "\x1b[1;31m" in shown
    assert OBEYED.search(OURS.sub("", shown)) is None
    assert "\x1b[7;5m" not in shown
    assert shown.count(HARMLESS[:-3]) == 4  # the table breaks its last letters off


def fill(engine: Engine, plan_batch: PlanBatch) -> None:
    """Fill a ledger as a hostile export and a hostile vendor would, and worse."""

    def lose(*_: object) -> None:
        raise OutcomeUnknownError(EVIL, request_id=EVIL, code=EVIL)

    batch, keys = plan_batch(some_looks(4))
    submit_now(engine, lose, batch)  # type: ignore[arg-type]  # it never answers
    named = {"collection": EVIL}
    with engine.begin() as connection:
        for number in range(4):
            sku = "s-3" if number == 3 else f"s-{number}{EVIL}"
            connection.execute(
                update(garment_looks)
                .where(garment_looks.c.look_key == keys[number])
                .values(sku=sku, title=EVIL, **named)
            )
        connection.execute(text("ALTER TABLE tryon.looks DISABLE TRIGGER USER"))
        connection.execute(update(looks).values(reason=EVIL, model=EVIL, vendor_code=EVIL, **named))
        for state, key in zip(("IN_DOUBT", "PUBLISHED", "REJECTED", "REVIEW"), keys, strict=True):
            connection.execute(update(looks).where(looks.c.key == key).values(state=state))
        connection.execute(update(runs).values(problem=EVIL, approval=EVIL, export=EVIL, warnings=[EVIL]))
        connection.execute(
            update(submissions).values(message=EVIL, request_id=EVIL, vendor_code=EVIL, uses=4)
        )
        connection.execute(
            insert(stops).values(
                conn_id=EVIL,
                kind="credentials",
                reason=EVIL,
                vendor_code=EVIL,
                set_by=EVIL,
                set_at=func.now(),
            )
        )
        connection.execute(
            insert(rejections).values(
                run_id=batch.run_id, line=2, sku=EVIL, rule="bad_text", column=EVIL, value=EVIL, reason=EVIL
            )
        )


def on_a_terminal(program: list[str], folder: Path) -> str:
    """Run a program on a terminal of 200 columns; gives all that the terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        program, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=folder
    ) as running:
        os.close(theirs)
        received = b""
        try:
            while piece := os.read(ours, 65_536):
                received += piece
        except OSError:  # how Linux says that nobody has the terminal open any more
            pass
        finally:
            os.close(ours)
    assert running.returncode == 0
    return received.decode()


def test_no_command_lets_others_speak_to_a_real_terminal(
    *,
    engine: Engine,
    plan_batch: PlanBatch,
    settings_file: Path,
    catalogue_connection: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(engine, plan_batch)
    evil = EVIL.replace("\r", "")
    (tmp_path / "evil.csv").write_text(
        "sku,title,category,collection,image_url\n"
        f"a,{evil},shirt,{evil},https://pictures.example/a.jpg\n"
        f"b{evil},t,shirt,c,https://pictures.example/a.jpg\n"
        f"c,t,{evil},c,https://pictures.example/{evil}.jpg\n",
        encoding="utf-8",
    )
    (tmp_path / "commands.json").write_text(json.dumps(COMMANDS))
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    shown = on_a_terminal([sys.executable, "-c", DRIVER, "commands.json"], tmp_path)
    parts = re.split(r"<\d+: (\w+)>\r\n", shown)
    assert len(parts) == 2 * len(COMMANDS) + 1, shown[-2000:]
    for command, printed, ended in zip(COMMANDS, parts[::2], parts[1::2], strict=False):
        assert ended != "broken", (command, printed)
        rest = OURS.sub("", printed).replace("\r\n", "\n")
        found = OBEYED.search(rest) or re.search(r"\r", rest)
        assert found is None, (command, rest[max(0, found.start() - 60) : found.end() + 20])
    assert shown.count("\x1b[7;5m") == 0
    assert shown.count("owned") > 20  # what is harmless of it is shown
    assert "\x1b[1" in shown  # and our own colours are
