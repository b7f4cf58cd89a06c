"""How long a test waits for what always comes: no measure of speed, only the end of a hang."""

from __future__ import annotations

from typing import Final

GUARD: Final = 600.0
"""Seconds. Only a hang takes as long, on the slowest machine that has the time for these tests."""
