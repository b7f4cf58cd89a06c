"""The shop's catalogue table as it is in the database: what it can take, and writing rows to it.

Whatever the table does not take is divided until the refused rows stand alone, as the vendor's refusals are: one bad
row holds back no other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import (
    MetaData,
    String,
    Table,
    Text,
    and_,
    cast,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, NoSuchTableError, OperationalError

from tryon_catalogue.ledger.rows import as_table
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.column_types import comparable, is_number, length, plain, unknown

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Update

    from tryon_catalogue.settings import CatalogueSettings

log = logging.getLogger(__name__)

Row = TypeVar("Row")
Outcome = TypeVar("Outcome")

ROOM_FOR_TEXT: Final = 255
"""Characters. Reasons and addresses often fill so many; a column that takes fewer refuses rows before long."""

_ADVICE: Final = {
    "22001": "make the column that is too short longer, or text",
    "22": "make the key or the column of a type that takes it, or correct the sku; see `tryon doctor`",
    "23": "let the table's constraint allow it",
    "44": "let the view's check option allow it",
    "42501": "give the database's user the right",
}
_TRIGGERS: Final = "see the table's triggers and constraints"
# What PostgreSQL refuses for the row's own sake, by class of SQLSTATE: data, constraints, check options, rights and
# names that a policy or a trigger meets, what a trigger raises, a row too large for an index. All else, such as a lost
# connection, a deadlock or a time limit, may go well another time.
_ROW_REFUSED: Final = frozenset({"09", "22", "23", "38", "39", "42", "44", "54", "P0"})
_AFTER_QUESTION_MARK: Final = re.compile(r'[?][^\s"]+')


class CatalogueError(Exception):
    """The shop's table is not as the settings say; names the table, what is missing and the settings' key."""


class RowRefusedError(CatalogueError):
    """The shop's table did not take the row of a garment; names the sku, the database's words and what to do."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that the shop's table did not take.

    Attributes:
        reason: The database's words, and what to do.
        row_exists: Whether the table has the row; False where its key can never be the sku.
    """

    sku: str
    reason: str
    row_exists: bool

    def __str__(self) -> str:
        return f"sku {self.sku}: {self.reason}"


@dataclass(slots=True)
class Written:
    """How many rows changed, and which were refused.

    Attributes:
        changed: Rows of the shop's table that changed.
        refused: The rows that it did not take.
    """

    changed: int = 0
    refused: list[Refusal] = field(default_factory=list)

    def __iadd__(self, other: Written) -> Written:
        self.changed += other.changed
        self.refused += other.refused
        return self


class ShopTable:
    """The shop's table, looked at once in the database.

    Args:
        connection: To the database of ``[catalogue] conn_id``.
        settings: The ``[catalogue]`` section.

    Raises:
        CatalogueError: When the table or a named column is not there, or is of a type that is not known here.
    """

    def __init__(self, connection: Connection, settings: CatalogueSettings) -> None:
        self._name = settings.table
        self._columns = settings.columns.named
        try:
            self._table = Table(
                settings.table_name,
                MetaData(),
                schema=settings.schema_name,
                autoload_with=connection,
                resolve_fks=False,  # what the shop's table refers to is none of our business
            )
        except NoSuchTableError as error:
            raise CatalogueError(
                f"there is no table {settings.table} in the database behind the connection "
                f"{settings.conn_id}: create it, or name the right one in [catalogue] table"
            ) from error
        present = set(self._table.columns.keys())
        missing = sorted({settings.key, *self._columns.values()} - present)
        if missing:
            raise CatalogueError(
                f"the table {settings.table} has no column {', '.join(missing)} (it has "
                f"{', '.join(sorted(present))}): add it, or correct [catalogue] key and [catalogue.columns]"
            )
        self._key = self._table.c[settings.key]
        self._key_is_number = is_number(self._key)
        named = [self._key, *(self._table.c[name] for name in self._columns.values())]
        if strange := unknown(connection, self._table, named):
            raise CatalogueError(
                f"the table {settings.table} has columns of a type that cannot be written to: {', '.join(strange)}; "
                "make them text, or correct [catalogue] key and [catalogue.columns]"
            )

    def write(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> Written:
        """Write our words to the shop's columns where they differ; each refused row is logged.

        Args:
            rows: ``sku`` and our words -> plain values; all with the same words.

        Raises:
            sqlalchemy.exc.OperationalError: The database is not to be had, or busy; nothing is written.
        """
        written = Written()
        if not rows or not self._written(rows[0]):
            return written

        def send(part: Sequence[dict[str, Any]]) -> int:
            changed = connection.execute(self._update(part)).rowcount
            # What the table would only refuse at the commit, it refuses here, where the row can be told.
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            return changed

        refused: dict[str, str] = {}
        for part, outcome in _divided(connection, rows, send):
            if isinstance(outcome, DBAPIError):
                refused[part[0]["sku"]] = _reason(outcome)
            else:
                written.changed += outcome
        # A number that is written otherwise finds no row, and the database has no word to say of it.
        doubtful = [row["sku"] for row in rows] if self._key_is_number else list(refused)
        present, impossible = self.find(connection, doubtful)
        for sku in dict.fromkeys(doubtful):
            reason = impossible.get(sku) or (refused.get(sku) if sku in present else None)
            if reason:  # else it is written, or there is no row to write
                sentence = f"the table {self._name} does not take its row ({reason})"
                written.refused.append(Refusal(sku, sentence, row_exists=sku in present))
        for refusal in written.refused:
            log.error("Not written to the catalogue: %s", refusal)
        return written

    def find(self, connection: Connection, skus: Sequence[str]) -> tuple[set[str], dict[str, str]]:
        """Find the skus that have a row.

        Returns:
            Those with a row, and those that the key can never be, with why and what to do.
        """
        present: set[str] = set()
        impossible: dict[str, str] = {}

        def look(part: Sequence[str]) -> Sequence[Any]:
            given = self._typed_rows([{"sku": sku} for sku in part])
            found = select(given.c.sku, self._key.is_not(None), cast(given.c.key, Text))
            return connection.execute(found.outerjoin_from(given, self._table, self._is_of(given))).all()

        for part, outcome in _divided(connection, skus, look):
            if isinstance(outcome, DBAPIError):
                impossible |= dict.fromkeys(part, _reason(outcome))
                continue
            for sku, has_row, written in outcome:  # a key that is not unique gives a sku more than once
                if has_row:
                    present.add(sku)
                elif self._key_is_number and written != sku:
                    impossible[sku] = (
                        f"as {plain(self._key.type)} it is written {written}: write the sku as the key is written, or "
                        "make the key text"
                    )
        return present, impossible

    def check(self, connection: Connection, public_url: str | None) -> None:
        """Find out whether the table takes what is to be written, without changing a row.

        Args:
            public_url: What the pictures' addresses begin with; None where the settings do not say.

        Raises:
            CatalogueError: It does not; names each column and the database's words.
        """
        samples = _samples(public_url)
        problems = [
            f"the column {self._table.c[name]} does not take {value!r} ({_reason(error)})"
            for ours, name in self._columns.items()
            for value in samples.get(ours, ())
            if (error := self._refused(connection, select(self._typed_rows([{ours: value}]))))
            # A constraint may be right to refuse what is made up; the states are what will be written.
            and (ours == "status" or _sqlstate(error)[:2] != "23")
        ]
        detail = self._columns.get("detail")
        if detail and not self._table.c[detail].nullable:
            problems.append(
                f"the column {self._table.c[detail]} must not be NOT NULL: it is empty where all is well"
            )
        everything = {"sku": None, **{ours: values[0] for ours, values in samples.items()}}
        if not problems and self._written(everything):
            # The database looks at rights and types before it finds that there is nothing to do.
            error = self._refused(connection, self._update([everything]).where(text("false")))
            problems += [f"it cannot be written to ({_reason(error)})"] if error else []
        if problems:
            raise CatalogueError(
                f"the table {self._name} is not fit for what [catalogue] writes to it: {'; '.join(problems)}"
            )

    def limits(self) -> str:
        """Say in words which skus the key can never hold; empty when it takes any."""
        kind = self._key.type
        if self._key_is_number:
            return (
                f"its key {self._key.name} is {plain(kind)}: a sku that is not written just as the database writes the "
                "number (00123 for 123) can never be found in it"
            )
        if isinstance(kind, String):
            longest = kind.length
            return (
                f"its key {self._key.name} is {kind}: a longer sku can never be found in it"
                if longest
                else ""
            )
        return f"its key {self._key.name} is {kind}: a sku that is no such value can never be found in it"

    def narrow(self) -> str:
        """Say in words which columns are too short for reasons and addresses; empty when none is."""
        columns = {
            name: length(self._table.c[name])
            for ours, name in self._columns.items()
            if ours not in {"status", "updated_at"}
        }
        short = [
            f"{name} ({longest} characters)"
            for name, longest in columns.items()
            if 0 < longest < ROOM_FOR_TEXT
        ]
        if not short:
            return ""
        return (
            f"the table {self._name} is too short in {', '.join(short)}: what is longer is refused, and its row "
            "with it; make it text"
        )

    def _written(self, row: dict[str, Any]) -> dict[str, ColumnElement[Any]]:
        """Give our word -> the shop's column, for what a row has and the settings name."""
        return {ours: self._table.c[name] for ours, name in self._columns.items() if ours in row}

    def _typed_rows(self, rows: Sequence[dict[str, Any]]) -> Any:
        """Give rows as a table with the types of the shop's columns: a list as text, JSON or an array.

        A row with a sku has it twice: ``sku`` is the text, ``key`` what the type of the key makes of it.
        """
        kinds = {ours: column.type for ours, column in self._written(rows[0]).items()}
        if "sku" in rows[0]:
            rows = [{**row, "key": row["sku"]} for row in rows]
            kinds |= {"sku": Text(), "key": self._key.type}
        return as_table([{name: row[name] for name in kinds} for row in rows], **kinds)

    def _is_of(self, given: Any) -> ColumnElement[bool]:
        """Give the condition that joins the table with typed rows: 1e0 and 1.4 are not the garment 1."""
        same = self._key == given.c.key
        return and_(same, cast(self._key, Text) == given.c.sku) if self._key_is_number else same

    def _update(self, rows: Sequence[dict[str, Any]]) -> Update:
        theirs = self._written(rows[0])
        given = self._typed_rows(rows)
        differs = or_(
            *(
                comparable(column).is_distinct_from(comparable(given.c[ours]))
                for ours, column in theirs.items()
            )
        )
        values: dict[Any, Any] = {column: given.c[ours] for ours, column in theirs.items()}
        if stamp := self._columns.get("updated_at"):
            values[self._table.c[stamp]] = func.now()
        return update(self._table).where(self._is_of(given), differs).values(values)

    def _refused(self, connection: Connection, statement: Any) -> DBAPIError | None:
        """Give the error with which the database refuses a statement; None when it does not."""
        try:
            with connection.begin_nested():
                connection.execute(statement)
        except OperationalError:
            raise
        except DBAPIError as error:
            return error
        return None


def _samples(public_url: str | None) -> dict[str, Sequence[Any]]:
    """Give our word -> values of which its column has to take each."""
    picture = f"{(public_url or 'https://pictures.example').rstrip('/')}/1.jpg"
    return {
        "picture_url": (picture,),
        "picture_urls": ([picture],),
        "status": tuple(state.value for state in LookState),
        "detail": ("why",),
    }


def _divided(
    connection: Connection, rows: Sequence[Row], send: Callable[[Sequence[Row]], Outcome]
) -> Iterator[tuple[Sequence[Row], Outcome | DBAPIError]]:
    """Send rows, in ever smaller parts where the database refuses some; gives each part and what came of it.

    Args:
        connection: In a transaction, which goes on after a refusal.
        rows: What to send; a refused part is one row.
        send: A statement for some of the rows.
    """
    if not rows:
        return
    try:
        with connection.begin_nested():
            outcome = send(rows)
    except DBAPIError as error:
        if _sqlstate(error)[:2] not in _ROW_REFUSED:
            raise
        if len(rows) == 1:
            yield rows, error
            return
    else:
        yield rows, outcome
        return
    middle = len(rows) // 2
    yield from _divided(connection, rows[:middle], send)
    yield from _divided(connection, rows[middle:], send)


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _reason(error: DBAPIError) -> str:
    """Give the database's own sentence, not the statement and the row with it, and what to do."""
    primary = getattr(getattr(error.orig, "diag", None), "message_primary", None)
    state = _sqlstate(error)
    advice = _ADVICE.get(state) or _ADVICE.get(state[:2], _TRIGGERS)
    # Where it shows an address, what follows the question mark may be a signature.
    message = _AFTER_QUESTION_MARK.sub("?…", primary or type(error.orig).__name__)
    return f"{message}: {advice}"
