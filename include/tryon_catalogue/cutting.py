"""From planned looks to batches: what goes within the limits is reserved and cut, what does not is held back.

Nothing is spent here. One run cuts at a time, so that runs in parallel cannot pass a limit together. It must not
know the export, the vendor's wire or Airflow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, false, func, literal, or_, select, true, tuple_, union_all, update
from sqlalchemy.dialects.postgresql import insert

from damo_tryon.contract import MAX_TASKS
from tryon_catalogue.ledger.rows import as_table
from tryon_catalogue.ledger.spending import (
    CUTTING_LOCK,
    hold_back,
    is_live,
    one_at_a_time,
    read_commitments,
)
from tryon_catalogue.ledger.tables import (
    batches,
    collections,
    garment_looks,
    look_moves,
    looks,
    rejections,
    run_looks,
    runs,
    submissions,
)
from tryon_catalogue.ledger.wanted import CUT, OURS, WAITING, ready
from tryon_catalogue.limits import NOT_ASKED, Room, cost_of, words_for
from tryon_catalogue.looks import LookState
from tryon_catalogue.packs import pack_warnings, read_packs
from tryon_catalogue.settings import Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, Engine, Select

    from tryon_catalogue.limits import Approved, Commitments, Kind, Limit
    from tryon_catalogue.settings import Price, Settings
