"""How a run ends in red.

Apart from the account, which raises it, because DAG files name it and are not to import the database with it.
"""

from __future__ import annotations


class RunFailedError(Exception):
    """Too little of a run succeeded; says how much, and where the looks are."""
