"""docker-compose.yaml, held to the Compose specification and to the project it starts; no container is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from tryon_catalogue.settings import load_settings
from tryon_demo.scene import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"
ENV_EXAMPLE = ROOT / ".env.example"
DOCKERFILE = ROOT / "Dockerfile"
DOCKERIGNORE = ROOT / ".dockerignore"

VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z0-9_]+)(?:(?P<operator>:[-?])(?P<rest>[^}]*))?\}")
"""`${NAME}`, `${NAME:-default}` and `${NAME:?message}`, but not `$${NAME}`, which is the container's."""


def load() -> dict[str, Any]:
    """The file as Compose reads it, before variables are filled in."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def env_example() -> dict[str, str]:
    """The lines of .env.example that set something."""
    lines = ENV_EXAMPLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled_in(text: str, values: dict[str, str]) -> str:
    """A string of the file as Compose hands it on: variables replaced, `$$` made a plain dollar."""

    def value(match: re.Match[str]) -> str:
        given = values.get(match["name"], "")
        if given:
            return given
        if match["operator"] == ":-":
            return match["rest"]
        raise KeyError(match["name"])

    return VARIABLE.sub(value, text).replace("$$", "$")


def environment(service: dict[str, Any]) -> dict[str, str]:
    """A service's environment as the file has it."""
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def commands(service: dict[str, Any], program: str) -> list[list[str]]:
    """The command lines by which a service starts one of our programs, as words."""
    command = service.get("command", [])
    if command and command[0] == program:
        return [list(command)]
    lines = command[-1].splitlines() if command and command[0] == "sh" else []
    return [line.split() for line in lines if line.startswith(f"{program} ")]


SERVICES: dict[str, dict[str, Any]] = load()["services"]
ONE_SHOT = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
OURS = {name for name, service in SERVICES.items() if service["image"].endswith(":local")}
AIRFLOW = {name for name in OURS if commands(SERVICES[name], "airflow")}
SETTINGS = "/opt/airflow/include/tryon.toml"
"""Where the image looks for the settings."""
SECRET = re.compile(r"PASSWORD|SECRET|FERNET_KEY")
SECRET_VALUE = re.compile(r"\$\{\w+:\?")
"""A variable that must be filled in, which is a secret or holds one."""
FILLED = {
    name: f"made-up-{name.lower()}" if SECRET.search(name) else value for name, value in env_example().items()
}
"""A .env as somebody would fill it in: the secrets, and nothing else."""

_ASK_AIRFLOW = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf

problems = []
for line in json.loads(sys.argv[1]):
    try:
        get_parser().parse_args(line[1:])
    except SystemExit:
        problems.append(" ".join(line))
options = {
    f"AIRFLOW__{section}__{option}".upper()
    for section, described in conf.configuration_description.items()
    for option in described["options"]
}
print(json.dumps({"problems": problems, "options": sorted(options)}))
"""


def ask_airflow(lines: list[list[str]], home: Path) -> dict[str, list[str]]:
    """What the installed Airflow makes of command lines, and every option that it knows.

    Args:
        home: For Airflow, which makes it when it is imported.
    """
    done = subprocess.run(
        [sys.executable, "-c", _ASK_AIRFLOW, json.dumps(lines)],
        env={**os.environ, "AIRFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def airflow_says(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What it makes of the services' command lines."""
    lines = [line for service in SERVICES.values() for line in commands(service, "airflow")]
    return ask_airflow(lines, tmp_path_factory.mktemp("airflow"))


def published(service: dict[str, Any]) -> list[list[str]]:
    """The service's ports as [address, port of this machine, port of the container]."""
    return [filled_in(port, FILLED).split(":") for port in service.get("ports", [])]


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(load())] == []


def test_every_process_of_the_project_has_a_service() -> None:
    assert set(SERVICES) == {
        *("postgres", "databases", "redis", "airflow-init"),
        *("api-server", "scheduler", "dag-processor", "triggerer", "worker", "console"),
        *("sandbox", "shop", "pictures"),
    }


def test_only_the_sandbox_and_the_sample_shop_wait_to_be_asked_for() -> None:
    asked_for = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert asked_for == {name: ["sandbox"] for name in ("sandbox", "shop", "pictures")}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_waits_for_exists_and_can_come_true(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert needed in ONE_SHOT
        else:
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in SERVICES[needed]
        if "profiles" not in SERVICES[name]:
            assert "profiles" not in SERVICES[needed], "what is always started may not wait for what is not"


def test_somebody_waits_for_every_service_that_ends() -> None:
    waited_for = {needed for service in SERVICES.values() for needed in service.get("depends_on", {})}
    assert waited_for >= ONE_SHOT, "`up --wait` takes an end that nobody waits for to be a failure"


def test_every_airflow_service_waits_for_the_tables_and_the_ledger() -> None:
    for name in AIRFLOW - {"airflow-init"}:
        assert SERVICES[name]["depends_on"]["airflow-init"]["condition"] == "service_completed_successfully"
    assert [line[1:] for line in commands(SERVICES["airflow-init"], "airflow")] == [["db", "migrate"]]
    assert commands(SERVICES["airflow-init"], "tryon") == [["tryon", "init"]]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_every_lasting_service_is_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT - {"console"}))
def test_every_lasting_service_that_does_something_is_watched(name: str) -> None:
    assert {"test", "interval", "timeout", "retries"} <= set(SERVICES[name]["healthcheck"])


@pytest.mark.parametrize("name", sorted(OURS - ONE_SHOT - {"console"}))
def test_a_busy_machine_has_minutes_to_start_a_service(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["start_period"] == "5m"
    assert check["timeout"] == "30s"


def test_every_airflow_command_is_one_that_airflow_has(airflow_says: dict[str, list[str]]) -> None:
    assert airflow_says["problems"] == []


def test_every_airflow_variable_names_an_option_that_airflow_has(airflow_says: dict[str, list[str]]) -> None:
    named = {variable for service in SERVICES.values() for variable in environment(service)}
    assert {v for v in named if v.startswith("AIRFLOW__")} - set(airflow_says["options"]) == set()


@pytest.mark.parametrize(
    "line", [line for service in SERVICES.values() for line in commands(service, "tryon")], ids=" ".join
)
def test_every_tryon_command_is_one_that_the_project_has(line: list[str]) -> None:
    from tryon_catalogue.console.cli import app

    # Asked for help, a command is not run, but what stands before --help is held to its options.
    asked = CliRunner().invoke(app, [*line[1:], "--help"])
    assert asked.exit_code == 0, asked.output


def test_every_variable_of_the_settings_names_a_setting() -> None:
    from tryon_catalogue.settings import ENV_PREFIX, Settings

    for variable in environment(SERVICES["worker"]):
        if variable.startswith(ENV_PREFIX):
            section, key = variable.removeprefix(ENV_PREFIX).lower().split("__")
            model = Settings.model_fields[section].annotation
            assert key in model.model_fields, variable


def test_the_example_of_the_variables_holds_exactly_those_that_are_used() -> None:
    used = {match["name"] for match in VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8"))}
    assert used == set(env_example())


def test_the_example_and_the_file_agree_on_what_is_taken_when_nothing_is_said() -> None:
    example = env_example()
    for match in VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8")):
        if match["operator"] == ":-":
            assert match["rest"] == example[match["name"]], match["name"]


def test_no_secret_has_a_value_that_would_work() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    secrets = {name for name in env_example() if SECRET.search(name)}
    assert len(secrets) >= 9
    assert {env_example()[name] for name in secrets} == {""}
    for match in VARIABLE.finditer(text):
        if match["name"] in secrets:
            assert match["operator"] == ":?", f"{match['name']} must be asked for"
            assert match["rest"], f"{match['name']} must say what is missing"
    for one in (text, *env_example().values()):
        assert not re.search(r"://[^$@\s/]*:[^$@\s/]+@", one), "a password stands in a URL"


def test_every_secret_in_a_containers_environment_comes_from_a_variable() -> None:
    for service in SERVICES.values():
        for name, value in environment(service).items():
            if SECRET.search(name) and not name.endswith("_FILE"):
                assert VARIABLE.search(value), name


KNOWN_BY = {
    "Airflow's database": "AIRFLOW_DB_PASSWORD",
    "Fernet key": "AIRFLOW_FERNET_KEY",
    "JWT secret": "AIRFLOW_JWT_SECRET",
    "API secret": "AIRFLOW_API_SECRET_KEY",
    "Redis": "REDIS_PASSWORD",
    "catalogue's database": "CATALOGUE_DB_URI",
    "vendor": "DAMO_TRYON_SECRET",
}
"""The variable of .env behind each column of the document's table."""


def test_each_process_is_given_the_secrets_that_the_document_says_and_no_others() -> None:
    text = (ROOT / "include" / "docs" / "docker.md").read_text(encoding="utf-8")
    header, _, *rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]
    assert header[1:] == list(KNOWN_BY)
    documented = {
        row[0]: {KNOWN_BY[secret] for secret, cell in zip(header[1:], row[1:], strict=True) if cell}
        for row in rows
    }
    given = {
        name: {
            match["name"]
            for value in environment(SERVICES[name]).values()
            for match in VARIABLE.finditer(value)
        }
        & set(KNOWN_BY.values())
        for name in OURS
    }
    assert documented == {name: secrets for name, secrets in given.items() if secrets}


def test_what_runs_tasks_can_sign_for_nobody_and_read_no_connection_of_others() -> None:
    worker = {*environment(SERVICES["worker"])}
    triggerer = {*environment(SERVICES["triggerer"])}
    assert "AIRFLOW__CORE__FERNET_KEY" not in worker
    assert "AIRFLOW__API_AUTH__JWT_SECRET" not in worker | triggerer
    assert "postgres" not in environment(SERVICES["worker"])["AIRFLOW__CELERY__RESULT_BACKEND"]
    assert "AIRFLOW__CELERY__BROKER_URL" not in triggerer


def test_logs_are_shared_so_that_no_worker_needs_the_secret_to_serve_them() -> None:
    for name in ("worker", "triggerer"):
        assert "--skip-serve-logs" in SERVICES[name]["command"]
    for name in ("worker", "triggerer", "api-server"):
        assert "logs:/opt/airflow/logs" in SERVICES[name]["volumes"]


def test_services_that_need_no_secret_are_given_none() -> None:
    assert environment(SERVICES["sandbox"]) == environment(SERVICES["pictures"]) == {}
    holders = {name for name, service in SERVICES.items() if "POSTGRES_PASSWORD" in str(service)}
    assert holders == {"postgres", "databases"}
    assert {name for name, service in SERVICES.items() if "ADMIN_PASSWORD" in str(service)} == {
        "airflow-init"
    }


def test_published_ports_are_reachable_from_this_machine_alone_unless_told_otherwise() -> None:
    ports = {name: published(service) for name, service in SERVICES.items() if "ports" in service}
    assert ports == {
        "api-server": [["127.0.0.1", "8080", "8080"]],
        "sandbox": [["127.0.0.1", "8123", "8123"]],
    }
    for service in SERVICES.values():
        assert all(port.startswith("${TRYON_BIND:-127.0.0.1}:") for port in service.get("ports", []))


def test_published_ports_are_those_that_the_processes_listen_on() -> None:
    for name in ("api-server", "sandbox"):  # what else listens is reached from other containers alone
        inside = {port for _, _, port in published(SERVICES[name])}
        (line,) = [*commands(SERVICES[name], "airflow"), *commands(SERVICES[name], "tryon")]
        assert [f"--port={port}" for port in inside] == [word for word in line if word.startswith("--port")]


def test_health_checks_ask_at_ports_that_the_image_names() -> None:
    exposed = re.search(r"^EXPOSE (.+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert exposed is not None
    for name in OURS - ONE_SHOT - {"console"}:
        check = " ".join(SERVICES[name]["healthcheck"]["test"])
        asked = set(re.findall(r'(?:(?:127\.0\.0\.1|api-server):|127\.0\.0\.1", )(\d+)', check))
        assert asked <= set(exposed[1].split())
        assert asked or name == "worker", name


def test_health_checks_written_in_python_can_be_read_by_python() -> None:
    scripts = [
        service["healthcheck"]["test"][-1]
        for service in SERVICES.values()
        if service.get("healthcheck", {}).get("test", [""])[1:2] == ["python"]
    ]
    assert len(scripts) == 7
    for script in scripts:
        compile(script, "healthcheck", "exec")


def test_addresses_inside_the_network_are_services_at_their_ports() -> None:
    ports = {"postgres": "5432", "redis": "6379", "api-server": "8080"}
    text = COMPOSE.read_text(encoding="utf-8")
    found = set(re.findall(r"[/@](postgres|redis|api-server):(\d+)", text))
    assert found == set(ports.items())


def test_the_vendors_connection_is_json_that_airflow_can_read() -> None:
    connection = json.loads(filled_in(environment(SERVICES["worker"])["AIRFLOW_CONN_DAMO_TRYON"], FILLED))
    assert connection == {
        "conn_type": "damo_tryon",
        "schema": "https",
        "host": "damotryon.market.alicloudapi.com",
        "port": 443,
        "login": "",
        "password": "made-up-damo_tryon_secret",
        "extra": {"auth": "appcode"},
    }


def test_the_catalogues_connection_leads_to_the_database_that_is_made_unless_told_otherwise() -> None:
    line = environment(SERVICES["worker"])["AIRFLOW_CONN_CATALOGUE_DB"]
    assert VARIABLE.fullmatch(line), "the whole of it is the person's to say"
    address = urlsplit(filled_in(filled_in(line, FILLED), FILLED))
    assert (address.scheme, address.hostname, address.port) == ("postgresql", "postgres", 5432)
    assert (address.username, address.path) == ("catalogue", "/catalogue")
    assert address.password == FILLED["CATALOGUE_DB_PASSWORD"]


def test_the_samples_pictures_are_served_where_its_settings_say() -> None:
    settings = load_settings(SAMPLES / "tryon.toml")
    service = SERVICES["pictures"]
    (mounted,) = service["volumes"]
    assert ROOT / mounted["source"] == SAMPLES / "images"
    assert f"--directory={mounted['target']}" in service["command"]
    for base_url in (settings.roster.base_url, settings.export.images.base_url):
        assert base_url == f"http://pictures:{service['command'][-1]}"
    assert settings.fetch.allow_private
    assert "TRYON_FETCH__ALLOW_PRIVATE" not in environment(SERVICES["worker"])


def test_every_extra_that_may_be_installed_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    lines = ENV_EXAMPLE.read_text(encoding="utf-8")
    assert set(env_example()["TRYON_EXTRAS"].split()) == {"celery", "s3"} < set(extras)
    assert "person-check" in lines
    assert "person-check" in extras
    assert f'ARG EXTRAS="{env_example()["TRYON_EXTRAS"]}"\n' in DOCKERFILE.read_text(encoding="utf-8")


def test_what_the_document_says_to_put_into_env_is_known_there() -> None:
    text = (ROOT / "include" / "docs" / "docker.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```ini\n(.*?)```", text, re.DOTALL)
    sandbox = dict(line.split("=", 1) for line in block.splitlines())
    assert set(sandbox) < set(env_example())
    connection = json.loads(
        filled_in(environment(SERVICES["worker"])["AIRFLOW_CONN_DAMO_TRYON"], FILLED | sandbox)
    )
    (line,) = commands(SERVICES["sandbox"], "tryon")
    assert f"--port={connection['port']}" in line
    assert connection["host"] in SERVICES
    assert f"--appcode={connection['password']}" in [filled_in(word, FILLED) for word in line]
    assert ROOT / sandbox["TRYON_SETTINGS_FILE"] == SAMPLES / "tryon.toml"
    for name in re.findall(r"docker compose exec (?:-T )?([a-z-]+)", text):
        assert name in set(SERVICES) - ONE_SHOT
    assert set(re.findall(r"\b(?:TRYON|CATALOGUE|DAMO)_[A-Z_]+", text)) <= {
        *env_example(),
        *environment(SERVICES["worker"]),
    }


def test_every_volume_is_declared_and_every_declared_volume_is_used() -> None:
    used = {
        mount.split(":")[0]
        for service in SERVICES.values()
        for mount in service.get("volumes", [])
        if isinstance(mount, str)
    }
    assert used == set(load()["volumes"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_folder_mounted_from_this_machine_exists_or_is_made(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        if not isinstance(mount, str):
            source = ROOT / filled_in(mount["source"], FILLED)
            assert source.exists() or mount["bind"]["create_host_path"], source
            assert mount.get("read_only") is True or mount["target"] == "/opt/airflow/reports"


def test_what_a_command_writes_for_people_is_on_their_machine() -> None:
    (mounted,) = [mount for mount in SERVICES["console"]["volumes"] if "reports" in str(mount)]
    assert mounted["target"] == SERVICES["console"]["working_dir"], "where a file without a folder goes"
    assert f"/{mounted['source'].removeprefix('./')}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert mounted["target"] in DOCKERFILE.read_text(encoding="utf-8"), "for who starts it without Compose"


def test_volumes_are_mounted_on_folders_that_the_image_gives_to_its_user() -> None:
    made = re.search(r"install --directory ((?:.+\\\n)*.+)", DOCKERFILE.read_text(encoding="utf-8"))
    assert made is not None
    folders = set(made[1].split())
    for name in OURS:
        for mount in SERVICES[name].get("volumes", []):
            if isinstance(mount, str):
                assert mount.split(":")[1] in folders, mount


def test_exports_and_archive_are_where_the_settings_are_told_they_are() -> None:
    targets = [m.split(":")[1] if isinstance(m, str) else m["target"] for m in SERVICES["worker"]["volumes"]]
    told = environment(SERVICES["worker"])
    assert str(Path(told["TRYON_EXPORT__PATH"]).parent) in targets
    assert told["TRYON_ARCHIVE__PATH"] in targets


def test_one_service_builds_the_image_of_all() -> None:
    assert {name for name, service in SERVICES.items() if "build" in service} == {"airflow-init"}
    assert len({SERVICES[name]["image"] for name in OURS}) == 1


@pytest.mark.parametrize("name", sorted(AIRFLOW | {"console"}))
def test_every_service_that_reads_the_settings_gets_the_same_ones(name: str) -> None:
    def settings(service: dict[str, Any]) -> list[Any]:
        return [
            mount for mount in service["volumes"] if isinstance(mount, dict) and mount["target"] == SETTINGS
        ]

    (mounted,) = settings(SERVICES[name])
    assert [mounted] == settings(SERVICES["worker"])
    assert f"TRYON_SETTINGS={SETTINGS}\n" in DOCKERFILE.read_text(encoding="utf-8")
    # What is set beside the file is the same as well, or one would count in another price or archive than another.
    own = [
        {
            variable: value
            for variable, value in environment(SERVICES[service]).items()
            if variable.startswith("TRYON_")
        }
        for service in (name, "worker")
    ]
    assert own[0] == own[1]
    assert {"TRYON_EXPORT__PATH", "TRYON_ARCHIVE__PATH"} <= set(own[0])


def test_airflows_own_options_are_the_same_for_all_of_its_processes() -> None:
    plain = [
        {
            name: value
            for name, value in environment(SERVICES[service]).items()
            if not SECRET_VALUE.search(value)
        }
        for service in (AIRFLOW | {"console"}) - {"api-server", "airflow-init"}
    ]
    assert all(options == plain[0] for options in plain)
    for service in ("api-server", "airflow-init"):  # they have the person who logs in beside them
        assert plain[0].items() <= environment(SERVICES[service]).items()


def test_our_containers_cannot_gain_rights() -> None:
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
        assert SERVICES[name]["init"] is True
        assert "user" not in SERVICES[name], "the image says who"
