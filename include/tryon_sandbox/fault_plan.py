"""Decides which of a sandbox's faults happen at a call."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from tryon_sandbox.calls import Endpoint, Fate, Stage
from tryon_sandbox.faults import AcceptingFault, BaseFault, Fault
from tryon_sandbox.rules import Task


class _Planned:
    """A fault, how often it is still to happen, and its own dice."""

    def __init__(self, fault: Fault, dice: random.Random) -> None:
        self.fault = fault
        self.left = fault.times
        self._dice = dice

    def fires(self) -> bool:
        if self.left == 0 or (self.fault.probability < 1 and self._dice.random() >= self.fault.probability):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class FaultPlan:
    """The faults still to come, in the order they were given; safe to use from many threads.

    Args:
        faults: The first list.
        seed: Makes probabilities repeatable; each fault has dice of its own.
    """

    def __init__(self, faults: Sequence[Fault] = (), *, seed: int = 0) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []
        self.replace(faults)

    def replace(self, faults: Sequence[Fault]) -> None:
        """Forget the old list and begin with a new one."""
        with self._lock:
            self._planned = [
                _Planned(fault, random.Random(f"{self._seed}:{at}"))  # noqa: S311 - dice, not a secret
                for at, fault in enumerate(faults)
            ]

    def left(self) -> list[Fault]:
        """The faults that can still happen, `times` counted down."""
        with self._lock:
            return [p.fault.model_copy(update={"times": p.left}) for p in self._planned if p.left != 0]

    def draw(self, stage: Stage, endpoint: Endpoint, text: str = "") -> list[BaseFault]:
        """The faults that happen now; the last one may end the matter.

        Args:
            text: Address, body and URLs of the call, as far as they are known by now.
        """
        drawn: list[BaseFault] = []
        with self._lock:
            for planned in self._planned:
                fault = planned.fault
                if fault.stage is stage and fault.concerns(endpoint, text) and planned.fires():
                    drawn.append(fault)
                    if fault.ends_the_matter:
                        break
        return drawn

    def fate(self, tasks: Sequence[Task]) -> Fate:
        """What becomes of an accepted submission."""
        fate = Fate()
        text = " ".join(url for task in tasks for url in task.urls)
        with self._lock:
            for planned in self._planned:
                fault = planned.fault
                if isinstance(fault, AcceptingFault) and fault.concerns(Endpoint.SUBMIT, text):
                    added = fault.fate(tasks)
                    if added != Fate() and planned.fires():
                        fate = fate.with_(added)
        return fate
