"""The table of measured nights in the documents: a night keeps its row there when it is asked to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).resolve().parents[2] / "include" / "docs" / "nights.md"
WORDS: Final = """# Large nights

Each row is a night on real processes: Airflow, PostgreSQL, and the [sandbox](sandbox.md) at the pace that stands in the
row. `make night LOOKS=600 LATENCY=3 KEEP=1` runs one and writes its row.

- *At best* is what the vendor needs for so many looks. *Ratio* is the whole night beside it.
- *Waited* is how long a finished picture waited until it was in the catalogue: the median, 95 of 100, and the longest.
- *Times bare* compares the night with a bare program that submits, polls and downloads as many looks, and remembers
  nothing. `BARE=1` runs it after the night, against the same sandbox.
- *On Celery workers, one killed*: `WORKERS=2` starts workers and a Redis of their own, and kills one with all it runs.
  Airflow notices after `[scheduler] task_instance_heartbeat_timeout`, 5 minutes by default: so long its pictures wait.
- *MiB* is the most memory of the scheduler, the triggerer and all workers, two cores.
"""
COLUMNS: Final[Mapping[str, str]] = {
    "looks": "looks",
    "pace": "pace",
    "seconds": "seconds",
    "vendors_limit": "at best",
    "ratio": "ratio",
    "waited": "waited, s",
    "submissions": "submissions",
    "queries_a_submission": "queries a submission",
    "task_starts": "task starts",
    "failed_tries": "failed tries",
    "looks_not_sent": "looks not sent",
    "charged_twice": "charged twice",
    "mib": "MiB",
    "times_bare": "times bare",
}


def keep(
    figures: Mapping[str, Any],
    latency: float,
    concurrency: int,
    slots: int,
    *,
    workers: int = 0,
    page: Path = PAGE,
) -> None:
    """Write the row of a night, in place of the one of a night like it.

    Args:
        figures: As `make night` prints them.
        latency: Seconds that the vendor takes for a look.
        concurrency: Looks that the vendor works on at once.
        slots: Task processes that Airflow runs at once.
        workers: Of Celery; the last of several was killed in the middle.
        page: Is made, or changed.
    """
    waits = figures["ready_to_published"]
    cells = {
        **figures,
        "pace": f"{latency:g} s, {concurrency} at once, {slots} tasks{_by(workers)}",
        "waited": f"{waits['median']} / {waits['of_100_95']} / {waits['longest']}",
        "mib": " / ".join(str(figures[f"{part}_mib"]) for part in ("scheduler", "triggerer", "workers")),
    }
    row = [str(cells.get(name, "")) for name in COLUMNS]
    rows = {tuple(found[:2]): found for found in _rows(page)} | {tuple(row[:2]): row}
    head = [list(COLUMNS.values()), ["---"] * len(COLUMNS)]
    table = head + sorted(rows.values(), key=lambda cells: (int(cells[0]), cells[1]))
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    page.write_text("\n".join([WORDS, *lines, ""]), encoding="utf-8")


def _by(workers: int) -> str:
    if not workers:
        return ""
    return f" on {workers} Celery workers, one killed" if workers > 1 else " on a Celery worker"


def _rows(page: Path) -> list[list[str]]:
    if not page.exists():
        return []
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
