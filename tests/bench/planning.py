"""How many rows a second are read and planned, and in how much memory: a small export against a ten times larger.

Beside it, what pandas and PostgreSQL take for the same rows when nothing is asked of them, and what a second export
takes that says the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd
from ground import SETTINGS, fresh_tables, open_database, pretend_checked, run_python

from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.settings import load_settings

SMALL, LARGE = 10_000, 100_000
FORMATS = ("csv", "parquet")
CODE = """
import json, sys, time
from datetime import date
from pathlib import Path
import pandas
from sqlalchemy import text
from tryon_catalogue.exports import read_export
from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.planning.reserve import cut_run
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import BudgetSettings, load_settings
settings_file, url, export = sys.argv[1:]
settings = load_settings(Path(settings_file))
limits = BudgetSettings(per_day=10**6)  # room for all, and each look is held to it
settings = settings.model_copy(update={"budget": limits})
engine = engine_for(url, "tryon")
def peak():  # not getrusage, which counts the process that started this one as well
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
def read():
    for chunk in read_export(export, settings.export):
        pass
next(read_export(export, settings.export))  # so that no import is measured
reading = seconds(read)
run = Run("bench/run", export, date(2026, 11, 20))
recording = seconds(lambda: record_run(engine, settings, run))
cutting = seconds(lambda: cut_run(engine, settings, run.id))
held = peak()
with engine.begin() as connection:  # as after the night, without the hours that it takes
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text("UPDATE tryon.looks SET state = 'PUBLISHED'"))
with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
    connection.execute(text("VACUUM ANALYZE"))
known_run = Run("bench/known", export, date(2026, 11, 21))
known = seconds(lambda: (record_run(engine, settings, known_run), cut_run(engine, settings, known_run.id)))
def copy():
    table = pandas.read_csv(export, dtype=str) if export.endswith(".csv") else pandas.read_parquet(export)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE bare (a text, b text, c text, d text, e text)"))
        cursor = connection.connection.driver_connection.cursor()
        with cursor, cursor.copy("COPY bare FROM STDIN") as rows:
            for row in table.itertuples(index=False, name=None):
                rows.write_row(row)
        connection.execute(text("DROP TABLE bare"))
bare = seconds(copy)
print(json.dumps([reading, recording, cutting, held, known, bare]))
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """One export that was read, and then read and planned.

    Attributes:
        ending: Its format.
        rows: Its rows, each a look.
        reading: Seconds to read it.
        recording: Seconds to read it and write what it asks for to the ledger.
        cutting: Seconds to reserve it within a limit and cut it into batches.
        peak: MiB that it held at its peak in all.
        known: Seconds from an export of the same rows, whose looks are published, to no batch at all.
        bare: Seconds that pandas takes to read the rows and PostgreSQL to take them, and nothing else is done.
    """

    ending: str
    rows: int
    reading: float
    recording: float
    cutting: float
    peak: float
    known: float
    bare: float

    @property
    def planning(self) -> float:
        """Seconds from the export to batches."""
        return self.recording + self.cutting


def measure_planning(folder: Path) -> list[Planned]:
    """Plan each export into an empty ledger, each in a process of its own."""
    folder.mkdir()
    settings_file = folder / "tryon.toml"
    settings_file.write_text(SETTINGS.format(folder=folder, images="https://shop.example"))
    settings = load_settings(settings_file)
    found = []
    with open_database(folder / "postgres") as url:
        engine = engine_for(url, settings.ledger.schema_name)
        for ending, rows in product(FORMATS, (SMALL, LARGE)):
            fresh_tables(engine, settings)
            export = make_export(folder, ending, rows)
            pretend_checked(engine, settings, export)
            figures = json.loads(run_python(CODE, str(settings_file), url, str(export)))
            found.append(Planned(ending, rows, *figures))
    return found


def make_export(folder: Path, ending: str, rows: int) -> Path:
    """Write an export of so many rows, each a garment of its own."""
    file = folder / f"export-{rows}.{ending}"
    numbers = range(rows)
    table = pd.DataFrame(
        {
            "sku": [f"{number:08}" for number in numbers],
            "title": [f"Breton Stripe Tee 海魂衫条纹T恤 {number}" for number in numbers],
            "collection": "SS26",
            "category": "tshirt",
            "image_url": [f"https://shop.example/pictures/{number}.jpg" for number in numbers],
        }
    )
    if ending == "csv":
        table.to_csv(file, index=False)
    else:
        table.to_parquet(file, row_group_size=20_000)
    return file
