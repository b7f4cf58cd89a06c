"""What Airflow finds of this package: held against Airflow's schemas and asked of a real Airflow process."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow._shared.module_loading import find_path_from_directory
from tests.guards import GUARD

from damo_tryon import connection
from damo_tryon.connection import TryOnConnection
from damo_tryon.hooks import DamoTryOnHook
from damo_tryon.provider_info import get_provider_info

PLUGINS = Path(__file__).parents[2] / "plugins"
(CONNECTION_TYPE,) = get_provider_info()["connection-types"]


def airflow_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(resources.files("airflow").joinpath(name).read_text())
    return schema


def ask_airflow(home: Path, plugins: Path) -> dict[str, Any]:
    """Ask a process of Airflow's, in a home of its own, what it has found."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    given |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK_AIRFLOW],
        env=given,
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def test_it_keeps_to_the_schema_that_airflow_reads_at_run_time() -> None:
    jsonschema.validate(get_provider_info(), airflow_schema("provider_info.schema.json"))


@pytest.mark.parametrize("part", ["connection-types", "extra-links"])
def test_it_keeps_to_the_stricter_schema_of_airflows_own_providers(part: str) -> None:
    schema = airflow_schema("provider.yaml.schema.json")
    jsonschema.validate(get_provider_info()[part], schema["properties"][part] | {"definitions": {}})


def test_the_entry_point_is_installed() -> None:
    (entry,) = [
        point
        for point in metadata.entry_points(group="apache_airflow_provider")
        if point.value.startswith("damo_tryon.")
    ]
    assert entry.load() is get_provider_info
    assert metadata.metadata("airflow-damo-tryon")["Name"] == get_provider_info()["package-name"]


def test_the_connection_type_is_the_hooks_own() -> None:
    assert CONNECTION_TYPE["connection-type"] == DamoTryOnHook.conn_type
    assert CONNECTION_TYPE["hook-name"] == DamoTryOnHook.hook_name
    module, _, name = CONNECTION_TYPE["hook-class-name"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is DamoTryOnHook


def test_the_forms_fields_are_the_extras_that_are_read() -> None:
    fields = CONNECTION_TYPE["conn-fields"]
    given = dict.fromkeys(fields)
    for key, values in (("auth", connection.AuthKind), ("stage", connection.Stage)):
        assert fields[key]["schema"]["enum"] == [str(value) for value in values]
    methods = [str(value) for value in connection.SignatureMethod]
    assert fields["signature_method"]["schema"]["enum"] == methods

    @dataclasses.dataclass
    class Fields:
        conn_id: str = "c"
        host: str | None = None
        schema: str | None = None
        port: int | None = None
        login: str | None = None
        password: str | None = "code"

    assert TryOnConnection.read(Fields(), given).read_timeout == connection.DEFAULT_READ_TIMEOUT
    with pytest.raises(connection.ConnectionSettingsError) as caught:
        TryOnConnection.read(Fields(), {"unheard_of": 1})
    assert str(sorted(fields)).strip("[]").replace("'", "") in str(caught.value)


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_it_names_exists(kind: str) -> None:
    for entry in get_provider_info()[kind]:
        for module in entry["python-modules"]:
            importlib.import_module(module)


def test_every_class_it_names_exists() -> None:
    info = get_provider_info()
    for name in info["extra-links"]:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)


ASK_AIRFLOW = """
import json, sys
from airflow import plugins_manager
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
hook = manager.hooks["damo_tryon"]
plugins_manager.ensure_plugins_loaded()
print(json.dumps({
    "hook": [hook.hook_class_name, hook.hook_name, hook.connection_id_attribute_name],
    "fields": [name for name in manager.connection_form_widgets if name.startswith("extra__damo_tryon__")],
    "labels": manager.field_behaviours["damo_tryon"]["relabeling"],
    "plugin errors": list(plugins_manager.get_import_errors()),
    "executed": [name for name in ("beside", "errors") if name in sys.modules],
}))
"""


def test_a_real_airflow_process_knows_the_connection_type_and_executes_no_module_of_the_package(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "plugins"
    (folder / "damo_tryon").mkdir(parents=True)
    shutil.copy(PLUGINS / ".airflowignore", folder)
    (folder / "damo_tryon" / "errors.py").write_text("raise RuntimeError('executed')\n")
    (folder / "beside.py").write_text("")
    found = ask_airflow(tmp_path, folder)
    assert found["hook"] == ["damo_tryon.hooks.DamoTryOnHook", "Alibaba DAMO try-on", "http_conn_id"]
    assert set(found["fields"]) == {f"extra__damo_tryon__{name}" for name in CONNECTION_TYPE["conn-fields"]}
    assert found["labels"] == {"login": "AppKey (signature only)", "password": "AppCode or AppSecret"}
    assert found["plugin errors"] == []
    assert found["executed"] == ["beside"]


@pytest.mark.parametrize("syntax", ["glob", "regexp"])
def test_the_ignore_file_holds_in_either_syntax(syntax: str) -> None:
    found = find_path_from_directory(PLUGINS, ".airflowignore", syntax)
    assert [path for path in found if "damo_tryon/" in path] == []
