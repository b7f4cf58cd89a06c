"""The colours of states as style rules, made from the table of states, for every page that shows states."""

from __future__ import annotations

from typing import Final

from tryon_catalogue.ledger.states import LOOK_STATES, TONES


def _style() -> str:
    light = " ".join(f"--{tone.name}: {tone.light};" for tone in TONES)
    dark = " ".join(f"--{tone.name}: {tone.dark};" for tone in TONES)
    tones = [f".{tone.name} {{ --tone: var(--{tone.name}); }}" for tone in TONES]
    states = [
        f".{state.value} {{ --tone: var(--{facts.tone.name}); --fade: {facts.fade:g}; }}"
        for state, facts in LOOK_STATES.items()
    ]
    rules = (
        f":root {{ {light} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}",
        *tones,
        *states,
    )
    return "\n".join((*rules, ""))


STATE_STYLE: Final = _style()
"""What is of a state's class, or of a tone's, has its colour as ``--tone`` and its opacity as ``--fade``."""
