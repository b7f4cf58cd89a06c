"""The notifier of these tests: writes each alert into a file of its own. Imported by Airflow's processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class LetterNotifier(BaseNotifier):
    """Writes alerts.

    Args:
        event: The alert's.
        run_id: The alert's.
        text: The alert's.
    """

    template_fields = ("event", "run_id", "text")

    def __init__(self, folder: str, event: str, run_id: str, text: str) -> None:
        super().__init__()
        self.folder = folder
        self.event = event
        self.run_id = run_id
        self.text = text

    def notify(self, context: Mapping[str, Any]) -> None:
        """Write the one that the templates were filled in with."""
        letter(Path(self.folder), self.event, self.run_id).write_text(self.text, encoding="utf-8")


def letter(folder: Path, event: str, run_id: str) -> Path:
    """Give the file of an alert.

    Args:
        folder: Of all.
        event: Such as LATE.
        run_id: Of the run, in the ledger's words.
    """
    return folder / f"{event} {run_id.replace('/', ' ')}.txt"
