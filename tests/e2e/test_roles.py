"""Who may do what, on a running Airflow; and what those who may do little learn and hold up by it: nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select, text

from tests.e2e.fab import fab_people_of
from tests.e2e.questions import wait_for_question
from tests.e2e.roles import Person, people_of
from tests.e2e.waiting import until
from tests.e2e.world import Night, World
from tests.guards import GUARD
from tryon_catalogue.ledger.tables import runs
from tryon_catalogue.planning.approval_options import APPROVE, UP_TO_AMOUNT, UP_TO_LOOKS
from tryon_demo.local.api import RunState
from tryon_demo.scene import DAG_ID, PROJECT

ON_DEMAND: Final = "tryon_on_demand"
READERS: Final = 60
BEYOND = 1000  # a page that no other test has read: what was made lately is given to everybody
REFUSED: Final = {401, 403}
MARK: Final = "what-only-the-owner-of-this-file-may-read"
NIGHT_API: Final = f"/api/v2/dags/{DAG_ID}/dagRuns/{{run}}"
BATCH: Final = f"{NIGHT_API}/taskInstances/batch/0"
# As the table of security.md has them -> what is asked of the API server. What would change something is asked for in
# a way that it refuses for another reason, to those who may.
ACTIONS: Final[Mapping[str, tuple[str, str, dict[str, Any]]]] = {
    "see runs and their tasks": ("GET", NIGHT_API, {}),
    "read the logs of tasks": (
        "GET",
        f"{NIGHT_API}/taskInstances/batch/logs/1",
        {"params": {"map_index": 0}},
    ),
    "open the page of the report": (
        "GET",
        "/tryon-report/run",
        {"params": {"dag_id": DAG_ID, "run_id": "{run}"}},
    ),
    "open the page of the results": (
        "GET",
        "/damo-tryon/results",
        {"params": {"dag_id": DAG_ID, "run_id": "{run}", "task_id": "batch", "map_index": 0}},
    ),
    "open the desk and see its pictures": ("GET", "/tryon-desk/today", {}),
    "decide in the desk": ("POST", "/tryon-desk/review/decide", {"data": {"token": "not of a page"}}),
    "trigger a run": (
        "POST",
        f"/api/v2/dags/{ON_DEMAND}/dagRuns",
        {"json": {"logical_date": None, "conf": {"inference_num": 9}}},
    ),
    "start a backfill": ("POST", "/api/v2/backfills", {"json": {"dag_id": DAG_ID}}),
    "clear a run or mark it": ("PATCH", NIGHT_API, {"json": {"state": "no such state"}}),
    "answer an approval": (
        "PATCH",
        f"{BATCH}/hitlDetails",
        {"json": {"chosen_options": ["Approve"], "params_input": {}}},
    ),
    "write an XCom": ("POST", f"{NIGHT_API}/taskInstances/account/xcomEntries", {"json": {}}),
    "read connections": ("GET", "/api/v2/connections", {}),
    "read variables": ("GET", "/api/v2/variables", {}),
    "change a pool": ("PATCH", "/api/v2/pools/no-such-pool", {"json": {"name": "no-such-pool", "slots": 1}}),
}
HOSTILE: Final = (
    "/proc/self/environ",
    "/proc/{scheduler}/environ",
    "/etc/passwd",
    "file:///etc/shadow",
    "/dev/zero",
    "s3://login@bucket/catalogue.csv",
    "s3://key:secret@bucket/catalogue.csv",
    "http://127.0.0.1/catalogue.csv",
    "{exports}/../airflow/passwords.json",
    "../airflow/passwords.json",
    "simplecache::file:///etc/passwd",
)


@pytest.fixture(scope="module")
def people(world: World) -> dict[str, Person]:
    """Somebody of each role, and a stranger as the one without."""
    return people_of(world)


# -- who may do what -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fab_people(world: World) -> dict[str, Person]:
    """The same of Airflow's other auth manager, on the same runs."""
    return fab_people_of(world)


def table_of_roles(heading: str) -> dict[str, dict[str, str]]:
    """Read a table of the document: action -> role -> yes or no."""
    page = (PROJECT / "include" / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.partition(f"{heading}\n")[2].partition("\n## ")[0].splitlines()
        if line.startswith("|")
    ]
    (_, *roles), _, *actions = rows
    return {action: dict(zip(roles, cells, strict=True)) for action, *cells in actions}


@pytest.mark.parametrize("manager", ["simple", "fab"])
def test_each_role_may_do_what_the_document_says_and_nothing_else(
    world: World, manager: str, request: pytest.FixtureRequest
) -> None:
    people = request.getfixturevalue("people" if manager == "simple" else "fab_people")
    run = world.first_night.run.run_id

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        return value.replace("{run}", run) if isinstance(value, str) else value

    def seen(person: Person, method: str, path: str, body: dict[str, Any]) -> str:
        status = person.ask(method, filled(path), **filled(body)).status_code
        if status in REFUSED:
            return "no"
        # What is to be read is there; what would change something is refused for the other reason.
        return "yes" if (status == 200 if method == "GET" else 400 <= status < 500) else str(status)

    assert {
        action: {role or "no login": seen(person, *asked) for role, person in people.items()}
        for action, asked in ACTIONS.items()
    } == table_of_roles("## Roles" if manager == "simple" else "## Roles of the FAB auth manager")


def test_who_may_not_trigger_starts_nothing(world: World, people: dict[str, Person]) -> None:
    body = {"logical_date": None, "dag_run_id": "not-to-be", "conf": {"dry_run": True}}
    for role in ("", "viewer"):
        answer = people[role].ask("POST", f"/api/v2/dags/{ON_DEMAND}/dagRuns", json=body)
        assert answer.status_code in REFUSED
    assert "not-to-be" not in {run.run_id for run in world.scene.api.dag_runs(ON_DEMAND)}


def test_who_may_not_see_a_page_is_shown_nothing_of_it(world: World, people: dict[str, Person]) -> None:
    run = {"dag_id": DAG_ID, "run_id": world.first_night.run.run_id}
    shown = people["viewer"].get("/tryon-report/run", **run)
    (sku, *_) = re.findall(r'<h3 class="outside">([^<]+)', shown.text)
    refused = people[""].get("/tryon-report/run", **run)
    assert sku not in refused.text
    assert "Log in to Airflow" in refused.text


# -- who may say that money is spent -----------------------------------------------------------------------------


def test_airflow_itself_refuses_the_answer_of_whoever_is_not_an_approver(
    world: World, people: dict[str, Person]
) -> None:
    with world.settings_file.budget(
        approve_above=0.01, answer_within_hours=12.0, approvers=["ursula", "otto"]
    ):
        export = world.export("two-pairs-of-eyes", 2)
        started = people["user"].ask(
            "POST",
            f"/api/v2/dags/{DAG_ID}/dagRuns",
            json={"logical_date": None, "dag_run_id": export.name, "conf": {"export": str(export.path)}},
        )
        started.raise_for_status()
        night = Night(world, export, export.name)
        wait_for_question(night)
        place = f"/api/v2/dags/{DAG_ID}/dagRuns/{night.run_id}/taskInstances/plan/-1/hitlDetails"

        def answered(role: str) -> int:
            values = {UP_TO_LOOKS: None, UP_TO_AMOUNT: None}
            said = {"chosen_options": [APPROVE], "params_input": values}
            return people[role].ask("PATCH", place, json=said).status_code

        # Ursula has started the run, so another of those named has to answer; to be admin is not enough.
        assert {role: answered(role) for role in ("", "viewer", "user", "admin")} == {
            "": 401,
            "viewer": 403,
            "user": 403,
            "admin": 403,
        }
        assert export.charged() == 0
        assert answered("op") == 200
        assert answered("op") == 409
        assert night.end() == "success"
    assert export.charged() == 2
    with world.ledger.connect() as connection:
        by = select(runs.c.answered_by, runs.c.answered_at).where(runs.c.id == f"{DAG_ID}/{night.run_id}")
        who, at = connection.execute(by).one()
    assert who == "otto"
    assert at is not None


# -- what an XCom may say ------------------------------------------------------------------------------------------


def test_whoever_may_write_xcoms_points_the_page_of_results_at_nothing(
    world: World, people: dict[str, Person]
) -> None:
    run = NIGHT_API.format(run=world.first_night.run.run_id)
    batch = people["user"].get(f"{run}/taskInstances/batch/xcomEntries/results", map_index=0).json()["value"]
    note = json.loads(batch) if isinstance(batch, str) else batch
    assert note["conn_id"] == "damo_tryon"
    tried = {
        "account": note,  # as it is, at another place
        "verdict": note | {"conn_id": "catalogue_db"},
        "preflight": note | {"conn_id": "no-such-connection"},
        "plan": note | {"result_keys": ["key-of-another-dag"]},
    }
    pages = set()
    for task_id, value in tried.items():
        written = people["user"].ask(
            "POST", f"{run}/taskInstances/{task_id}/xcomEntries", json={"key": "results", "value": value}
        )
        assert written.status_code == 201, written.text
        page = people["user"].get(
            "/damo-tryon/results",
            dag_id=DAG_ID,
            run_id=world.first_night.run.run_id,
            task_id=task_id,
            map_index=-1,
        )
        assert page.status_code == 409, page.text
        pages.add(page.text)
    assert len(pages) == 1  # so that nobody learns which connections there are


# -- what a request may name -----------------------------------------------------------------------------------


def everything_about(person: Person, run_id: str) -> Iterator[str]:
    """Read all that a person can of a run: the run, its tasks as they were rendered, XComs, logs and the report."""
    run = f"/api/v2/dags/{ON_DEMAND}/dagRuns/{run_id}"
    yield person.get(run).text
    yield person.get("/tryon-report/run", dag_id=ON_DEMAND, run_id=run_id).text
    tasks = person.get(f"{run}/taskInstances")
    yield tasks.text
    for task in tasks.json()["task_instances"]:
        place = f"{run}/taskInstances/{task['task_id']}"
        entries = person.get(f"{place}/xcomEntries", map_index=task["map_index"])
        yield entries.text
        for entry in entries.json().get("xcom_entries", ()):
            yield person.get(f"{place}/xcomEntries/{entry['key']}", map_index=task["map_index"]).text
        for number in range(1, task["try_number"] + 1):
            log = person.get(f"{place}/logs/{number}", map_index=task["map_index"], full_content=True)
            assert log.status_code == 200
            yield log.text


def test_what_lies_elsewhere_is_refused_before_there_is_a_run(
    world: World, people: dict[str, Person]
) -> None:
    before = len(world.scene.api.dag_runs(ON_DEMAND))
    places = {
        "scheduler": str(world.scene.stack.process("scheduler").pid),
        "exports": str(world.scene.exports),
    }
    for name in HOSTILE:
        conf = {"export": name.format(**places), "dry_run": True}
        answer = people["user"].ask(
            "POST", f"/api/v2/dags/{ON_DEMAND}/dagRuns", json={"logical_date": None, "conf": conf}
        )
        assert 400 <= answer.status_code < 500, name
        assert answer.status_code not in REFUSED
        assert "root:" not in answer.text
        assert "FERNET" not in answer.text
    assert len(world.scene.api.dag_runs(ON_DEMAND)) == before


def test_a_backfill_may_be_asked_for_no_other_export(world: World, people: dict[str, Person]) -> None:
    day = f"{world.first_night.run.logical_date:%Y-%m-%dT00:00:00Z}"
    answer = people["user"].ask(
        "POST",
        "/api/v2/backfills",
        json={
            "dag_id": DAG_ID,
            "from_date": day,
            "to_date": day,
            "reprocess_behavior": "completed",
            "dag_run_conf": {"export": "/proc/self/environ"},
        },
    )
    assert 400 <= answer.status_code < 500
    assert answer.status_code not in REFUSED


@pytest.fixture(scope="module")
def hostile_runs(world: World, people: dict[str, Person]) -> dict[str, tuple[RunState, str]]:
    """Runs that the form lets through, side by side: how each ended, and all that a user can read of it."""
    secret = world.scene.stack.home / "secret.csv"
    secret.write_text(f"{MARK},sku,category,image_url\n{MARK},1,2,3\n", encoding="utf-8")
    links = {
        "hostile-link": secret,
        "hostile-environ": Path("/proc/self/environ"),
        "hostile-zero": Path("/dev/zero"),
    }
    for name, target in links.items():
        (world.scene.exports / f"{name}.csv").symlink_to(target)
    asked: dict[str, dict[str, Any]] = {name: {"export": f"{name}.csv", "dry_run": True} for name in links}
    asked["hostile-template"] = {
        "export": str(world.sample_export),
        "skus": ["{{ conn.damo_tryon.password }}"],
        "dry_run": True,
    }
    for run_id, conf in asked.items():
        answer = people["user"].ask(
            "POST",
            f"/api/v2/dags/{ON_DEMAND}/dagRuns",
            json={"logical_date": None, "dag_run_id": run_id, "conf": conf},
        )
        answer.raise_for_status()
    return {
        run_id: (
            world.scene.api.wait_for_run(ON_DEMAND, run_id, timeout=GUARD).state,
            "\n".join(everything_about(people["user"], run_id)),
        )
        for run_id in asked
    }


@pytest.mark.parametrize("run_id", ["hostile-link", "hostile-environ", "hostile-zero", "hostile-template"])
def test_a_user_learns_nothing_by_a_run_that_was_asked_for_too_much(
    world: World, hostile_runs: dict[str, tuple[RunState, str]], run_id: str
) -> None:
    state, readable = hostile_runs[run_id]
    assert state is RunState.FAILED
    for secret in (MARK, world.appcode, "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"):
        assert secret not in readable
    words = "conn.damo_tryon.password" if run_id == "hostile-template" else "leads out of the folders"
    assert words in readable


# -- pages that are asked for by many --------------------------------------------------------------------------


def test_many_readers_of_a_locked_ledger_hold_up_nobody_who_asks_airflow_for_something(
    world: World, people: dict[str, Person]
) -> None:
    """However slow this machine is: everybody has an answer while the lock is still held, Airflow's own among them."""
    run = {"dag_id": DAG_ID, "run_id": world.first_night.run.run_id}
    reader = people["viewer"]
    with world.transaction() as connection, ThreadPoolExecutor(READERS) as crowd:
        connection.execute(text("LOCK TABLE tryon.looks IN ACCESS EXCLUSIVE MODE"))
        waits = world.waits_for(connection)
        reads = [
            crowd.submit(reader.get, "/tryon-report/run", **run, page=BEYOND + number % 30)
            for number in range(READERS)
        ]
        until(waits, "a reader's page waits for the ledger", every=0.02)
        airflows_own = [
            reader.get(path) for path in ("/api/v2/version", "/api/v2/monitor/health", "/api/v2/dags")
        ]
        answers = [read.result() for read in reads]
    assert {answer.status_code for answer in airflows_own} == {200}
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert reader.get("/tryon-report/run", **run).status_code == 200
