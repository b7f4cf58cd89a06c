"""The settings of the running scene: the sample shop's file, with limits that a test may change while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tryon_demo.scene import SETTINGS


class SettingsFile:
    """A copy of ``include/samples/tryon.toml`` with a ``[budget]`` of ours.

    Args:
        path: Where it is written, without limits.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rest = SETTINGS.read_text(encoding="utf-8")
        self._write({})

    @contextmanager
    def budget(self, **limits: float | Sequence[str]) -> Iterator[None]:
        """Set limits within the block, for every task that starts in it.

        Args:
            limits: Keys of ``[budget]``.
        """
        self._write(limits)
        try:
            yield
        finally:
            self._write({})

    def _write(self, budget: Mapping[str, float | Sequence[str]]) -> None:
        lines = [f"{key} = {json.dumps(value)}" for key, value in budget.items()]
        new = self.path.with_suffix(".new")
        new.write_text("\n".join([self._rest, "[budget]", *lines, ""]), encoding="utf-8")
        new.replace(self.path)  # at once, for whoever reads it just then
