"""The endpoint and the stage of a call, by which faults are chosen."""

from __future__ import annotations

from enum import StrEnum


class Endpoint(StrEnum):
    """What a request is for."""

    SUBMIT = "submit"
    QUERY = "query"
    RESULT = "result"


class Stage(StrEnum):
    """How far a request has come when a fault may fire."""

    ARRIVAL = "arrival"
    """Nothing was read or checked."""
    ADMITTED = "admitted"
    """The gateway let it in; nothing is accepted or looked up."""
    ACCEPTING = "accepting"
    """A submission passed every check and is about to be charged."""
    ANSWERING = "answering"
    """All is done (a submission is accepted and charged) but nothing is sent yet."""
