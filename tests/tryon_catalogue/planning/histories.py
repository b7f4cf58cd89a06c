"""What a few nights leave in a ledger: generators of such histories, and the hands that play them.

Everything goes through the functions that Airflow's tasks and people's commands call, so a ledger is never in a state
that could not be. The sizes are small: six garments, limits of a few yuan, and up to three nights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from hypothesis import strategies as st
from sqlalchemy import Engine, select, text, update

from damo_tryon.contract import Answer, FitType, SubTask, SubTaskStatus, TryOnTask
from damo_tryon.errors import CredentialsError, ImageRefusedError, OutcomeUnknownError, TryOnError
from tests.tryon_catalogue.budgets import send, with_budget
from tests.tryon_catalogue.helpers import pretend_checked
from tests.tryon_catalogue.planning.test_record import HEADER
from tryon_catalogue.ledger.moves import Mover, move
from tryon_catalogue.ledger.tables import batches, images, looks, metadata, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.record import Plan, record_run
from tryon_catalogue.planning.request import Redo, Request
from tryon_catalogue.planning.reserve import cut_run
from tryon_catalogue.planning.runs import Run, begin_run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import OnDoubt, Settings
from tryon_catalogue.settings.money import Order, Use
from tryon_catalogue.submission.doubts import declare_lost, give_up, open_doubts, record_found
from tryon_catalogue.submission.journal import sent_tasks
from tryon_catalogue.submission.retry import NoSuchLookError, retry_looks

SKUS = ("a", "b", "c", "d", "e", "f")
ADA = Mover("ada")


class Vendor(StrEnum):
    """What the vendor says to a submission."""

    TAKES_IT = "takes it"
    REFUSES_THE_PICTURES = "refuses the pictures"
    DOES_NOT_ANSWER = "does not answer"
    KNOWS_NO_CREDENTIALS = "knows no credentials"


class Doubts(StrEnum):
    """What a person makes of what is in doubt."""

    NOTHING = "nothing"
    LOST = "lost"
    GIVEN_UP = "given up"
    FOUND = "found"


class Ends(StrEnum):
    """How far a run gets."""

    DIES_BEFORE_THE_CUT = "dies before the cut"
    DIES_BEFORE_IT_SENDS = "dies before it sends"
    SENDS = "sends"
    CLOSES = "sends and closes its account"


@dataclass(frozen=True)
class Row:
    """A row of an export.

    Attributes:
        category: A hat has no rule.
        picture: A garment has had two; the one called ``bad`` breaks a rule, and the garments share one.
    """

    sku: str
    category: str
    collection: str
    picture: str

    def __str__(self) -> str:
        address = "" if not self.picture else f"https://pictures.example/{self.picture}.png"
        return f"{self.sku},T,{self.collection},{self.category},{address},,,\n"


@dataclass(frozen=True)
class Money:
    """Limits and price of a run; 0 for no limit."""

    per_run: int
    per_day: int
    per_collection: int
    approve_above: int
    order: Order
    use: Use

    def settings(self, settings: Settings) -> Settings:
        """Give the settings with these limits, by which a use is ¥1."""
        limits = {name: Decimal(getattr(self, name)) for name in ("per_run", "per_day", "per_collection")}
        above = Decimal(self.approve_above)
        return with_budget(settings, {"use": self.use}, order=self.order, approve_above=above, **limits)


@dataclass(frozen=True)
class Ask:
    """A run that somebody, or the clock, asks for.

    Attributes:
        rows: Of its export.
        day: Of its export, in November.
        resubmits: Whether doubts are sent again by a setting, at once.
    """

    rows: tuple[Row, ...]
    day: int
    money: Money
    request: Request
    backfill: bool
    resubmits: bool
    max_attempts: int

    def settings(self, settings: Settings) -> Settings:
        """Give the settings of the run."""
        on_doubt = OnDoubt.RESUBMIT if self.resubmits else OnDoubt.HOLD
        safety = settings.safety.model_copy(
            update={
                "on_doubt": on_doubt,
                "resubmit_after_hours": 0,
                "max_attempts": self.max_attempts,
            }
        )
        limited = self.money.settings(settings.model_copy(update={"safety": safety}))
        return self.request.settings(limited)


@dataclass(frozen=True)
class Night:
    """A run that was, and what came of it.

    Attributes:
        vendor: Its answers, in turn.
        outcomes: What becomes of what it took, in turn.
        doubts: What a person makes of what is in doubt afterwards.
        retried: The sku that a person wants to be tried again.
        ago: Days since it was.
    """

    ask: Ask
    ends: Ends
    vendor: tuple[Vendor, ...]
    outcomes: tuple[LookState, ...]
    doubts: Doubts
    retried: str | None
    ago: int


_pictures = st.sampled_from(["", "bad", "shared", *SKUS, *(f"{sku}-2" for sku in SKUS)])
_rows = st.builds(
    lambda sku, category, collection, picture: Row(
        sku, category, collection, sku if picture is None else picture
    ),
    st.sampled_from(SKUS),
    st.sampled_from(["shirt", "shirt", "shirt", "dress", "hat"]),
    st.sampled_from(["autumn", "winter", ""]),
    st.none() | st.none() | _pictures,
)
_limits = st.sampled_from([0, 0, 1, 2, 3, 5])
_money = st.builds(
    Money, _limits, _limits, _limits, _limits, st.sampled_from([*Order]), st.sampled_from([*Use])
)
_everything = st.just(Request())
_something = st.builds(
    Request,
    skus=st.lists(st.sampled_from(SKUS), min_size=1, max_size=3, unique=True).map(tuple),
    redo=st.none() | st.sampled_from([*Redo]),
    inference_num=st.sampled_from([None, None, 2]),
    budget=st.sampled_from([None, Decimal(2)]),
)
_redoing = st.builds(Request, redo=st.sampled_from([Redo.FAILED, Redo.REVIEWED]))
asks = st.builds(
    Ask,
    rows=st.lists(_rows, min_size=3, max_size=7, unique_by=lambda row: row.sku).map(tuple),
    day=st.integers(20, 22),
    money=_money,
    request=_everything | _everything | _everything | _something | _redoing,
    backfill=st.sampled_from([False, False, True]),
    resubmits=st.booleans(),
    max_attempts=st.integers(1, 3),
)
_no_limits = st.builds(
    Money, st.just(0), st.just(0), st.just(0), st.just(0), st.sampled_from([*Order]), st.sampled_from([*Use])
)
_with_room = st.builds(  # with room for what earlier runs left: no limit, and few rows of its own
    Ask,
    rows=st.lists(_rows, min_size=1, max_size=2, unique_by=lambda row: row.sku).map(tuple),
    day=st.just(23),
    money=_no_limits,
    request=_everything,
    backfill=st.just(False),
    resubmits=st.booleans(),
    max_attempts=st.just(3),
)
next_asks = st.one_of(_with_room, asks)
nights = st.builds(
    Night,
    ask=asks,
    ends=st.sampled_from([*Ends, Ends.CLOSES, Ends.CLOSES]),
    vendor=st.lists(
        st.sampled_from([*Vendor, Vendor.TAKES_IT, Vendor.DOES_NOT_ANSWER]), min_size=1, max_size=3
    ).map(tuple),
    outcomes=st.lists(
        st.sampled_from([LookState.PUBLISHED, LookState.FAILED, LookState.REVIEW, LookState.SUBMITTED]),
        min_size=1,
        max_size=3,
    ).map(tuple),
    doubts=st.sampled_from([*Doubts]),
    retried=st.none() | st.sampled_from(SKUS),
    ago=st.sampled_from([2, 0, 2]),
)


@dataclass
class Shop:
    """A shop that plays a history.

    Attributes:
        folder: Where its exports are.
    """

    engine: Engine
    plain: Settings
    folder: Path
    runs: int = field(default=0)

    def forget_everything(self) -> None:
        """Empty the ledger."""
        tables = ", ".join(
            f"tryon.{table.name}" for table in metadata.sorted_tables if table.name != "allowed_moves"
        )
        with self.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))

    def run_of(self, ask: Ask) -> Run:
        """Write the export of a run and let preflight look at its pictures."""
        self.runs += 1
        export = self.folder / f"{self.runs}.csv"
        export.write_text(HEADER + "".join(map(str, ask.rows)))
        pretend_checked(self.engine, ask.settings(self.plain), export)
        with self.engine.begin() as connection:
            bad = images.c.url == "https://pictures.example/bad.png"
            connection.execute(update(images).where(bad).values(rule="too_small"))
        return Run(f"dag/{self.runs}", str(export), date(2026, 11, ask.day), ask.request, ask.backfill)

    def play(self, night: Night) -> None:
        """Let a night be, with all that comes of it."""
        settings, run = night.ask.settings(self.plain), self.run_of(night.ask)
        begin_run(self.engine, run)
        found = record_run(self.engine, settings, run)
        if night.ends is not Ends.DIES_BEFORE_THE_CUT:
            batch_ids = cut_run(self.engine, settings, run.id).batch_ids
            if night.ends is not Ends.DIES_BEFORE_IT_SENDS:
                plan = Plan(found.rows, found.rejected, found.looks, found.new, batch_ids)
                self._send(settings, plan, night.vendor)
                self._end(night.outcomes)
        if night.ends is Ends.CLOSES:
            close_run(self.engine, settings, run.id)
        self._settle_doubts(settings, night.doubts)
        self._retry(night.retried)
        self._let_days_pass(run, night.ago)

    def _send(self, settings: Settings, plan: Plan, answers: Sequence[Vendor]) -> None:
        turns = iter(answers)

        def vendor(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
            match next(turns, answers[-1]):
                case Vendor.REFUSES_THE_PICTURES:
                    raise ImageRefusedError("not good", code=23500007, proved_not_accepted=True)
                case Vendor.DOES_NOT_ANSWER:
                    raise OutcomeUnknownError("the answer timed out")
                case Vendor.KNOWS_NO_CREDENTIALS:
                    raise CredentialsError("no", proved_not_accepted=True)
            return Answer(result_key=f"key-{uuid4()}")

        try:
            send(self.engine, settings, plan, vendor)
        except TryOnError:
            return  # the task is red, and so is the run

    def _end(self, outcomes: Sequence[LookState]) -> None:
        with self.engine.begin() as connection:
            submitted = select(looks.c.key).where(looks.c.state == "SUBMITTED").order_by(looks.c.key)
            for number, key in enumerate(connection.execute(submitted).scalars().all()):
                outcome = outcomes[number % len(outcomes)]
                steps = () if outcome is LookState.SUBMITTED else (outcome,)
                if outcome in {LookState.PUBLISHED, LookState.REVIEW}:
                    steps = (LookState.SUCCEEDED, outcome)
                for state in steps:
                    move(connection, looks.c.key == key, state, Mover("vendor"))

    def _settle_doubts(self, settings: Settings, how: Doubts) -> None:
        with self.engine.connect() as connection:
            found = open_doubts(connection)
        for doubt in found:
            match how:
                case Doubts.LOST:
                    declare_lost(self.engine, doubt.id, ADA)
                case Doubts.GIVEN_UP:
                    give_up(self.engine, doubt.id, ADA)
                case Doubts.FOUND:
                    self._find(settings, doubt.id)

    def _find(self, settings: Settings, submission_id: int) -> None:
        tasks = tuple(
            SubTask(status=SubTaskStatus.RUNNING, **task.model_dump())
            for task in sent_tasks(self.engine, submission_id)
        )

        def ask(result_key: str) -> Answer:
            return Answer(result_key=result_key, sub_tasks=tasks)

        record_found(
            self.engine, lambda _: ask, submission_id, f"key-{uuid4()}", by=ADA, price=settings.price
        )

    def _retry(self, sku: str | None) -> None:
        if sku is None:
            return
        try:
            retry_looks(self.engine, [sku], ADA)
        except NoSuchLookError:
            return  # nothing of it was refused or failed

    def _let_days_pass(self, run: Run, days: int) -> None:
        """A run that has not ended counts as dead after a day."""
        since = timedelta(days=days)
        moments = ("started_at", "opened_at", "planned_at", "cut_at", "ended_at")
        with self.engine.begin() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.id == run.id)
                .values({name: runs.c[name] - since for name in moments})
            )
            connection.execute(
                update(batches).where(batches.c.run_id == run.id).values(cut_at=batches.c.cut_at - since)
            )
