from __future__ import annotations

from collections.abc import Iterator

import pytest
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from sqlalchemy import Engine, text

from damo_tryon.contract import Answer, SubTask, SubTaskStatus
from damo_tryon.errors import ThrottledError
from damo_tryon.sensors import TryOnResultSensor
from damo_tryon.watching import Watch
from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.metrics import read_figures, send


class Recorder:
    """Takes the place of StatsD behind Airflow's own metrics."""

    def __init__(self) -> None:
        self.gauges: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def gauge(self, stat: str, value: float) -> None:
        self.gauges[stat] = value

    def incr(self, stat: str, count: int = 1) -> None:
        self.counts[stat] = self.counts.get(stat, 0) + count


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    stats.initialize(factory=lambda: recorder, export_legacy_names=False)
    yield recorder
    # What comes after in this process loads file systems and the like, which are timed by it too.
    stats.initialize(factory=get_stats_factory(), export_legacy_names=False)


def test_an_empty_ledger_has_every_gauge_at_nothing(engine: Engine, recorder: Recorder) -> None:
    send(read_figures(engine))
    assert set(recorder.gauges.values()) == {0}
    assert {f"tryon.looks.{state.value.lower()}" for state in LookState} <= set(recorder.gauges)
    assert {f"tryon.submissions.{state.value.lower()}" for state in SubmissionState} <= set(recorder.gauges)
    assert {"tryon.uses", "tryon.oldest_unpublished_seconds"} <= set(recorder.gauges)


def test_the_gauges_are_what_the_ledger_says(
    engine: Engine, plan_batch: PlanBatch, recorder: Recorder
) -> None:
    batch, _ = plan_batch(some_looks(3))
    with engine.begin() as connection:
        for state, key, uses, minutes in (
            ("SUBMITTED", "k1", 10, 30),
            ("SUBMITTED", "k2", 4, 10),
            ("COLLECTED", "k3", 2, 90),
            ("REFUSED", None, 0, 1),
        ):
            connection.execute(
                text(
                    "INSERT INTO tryon.submissions (batch_id, run_id, conn_id, try_number, state, fit_type,"
                    " inference_num, result_key, uses, answered_at) VALUES (:batch, :run, 'c', 1, :state,"
                    " 'HALF_BODY', 1, :key, :uses, now() - make_interval(mins => :minutes))"
                ),
                {
                    "batch": batch.id,
                    "run": batch.run_id,
                    "state": state,
                    "key": key,
                    "uses": uses,
                    "minutes": minutes,
                },
            )
    send(read_figures(engine))
    assert recorder.gauges["tryon.looks.planned"] == 3
    assert recorder.gauges["tryon.submissions.submitted"] == 2
    assert recorder.gauges["tryon.submissions.refused"] == 1
    assert recorder.gauges["tryon.uses"] == 16
    # And what has passed since it was put there: less than a test may take.
    assert 1800 <= recorder.gauges["tryon.oldest_unpublished_seconds"] < 1800 + 300


def test_the_polls_of_a_wait_are_counted_once_when_it_ends(recorder: Recorder) -> None:
    watch = Watch(["a", "b"])
    watch.failed("a", ThrottledError("slow down"))
    ended = (SubTask(status=SubTaskStatus.SUCCESS),)
    for key in ("a", "b"):
        watch.saw(key, Answer(result_key=key, sub_tasks=ended))
    sensor = TryOnResultSensor(task_id="wait", result_keys=["a", "b"])
    sensor.execute_complete({}, watch.ended().model_dump(mode="json"))
    assert recorder.counts == {"damo_tryon.polls": 3, "damo_tryon.result_keys": 2}
