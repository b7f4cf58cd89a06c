"""What tasks import is loaded by the scheduler, and by nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tryon_catalogue.workflow.plugins.preload import OF_TASKS

PACKAGE = Path(__file__).resolve().parents[4] / "include" / "tryon_catalogue" / "workflow"
# Starts as a component of Airflow does, then imports what the functions of some modules import, and says what was new.
START = """
import ast, importlib, json, sys
from pathlib import Path

from tryon_catalogue.workflow.plugins import preload

arguments, sources = json.load(sys.stdin)
sys.argv = ["airflow", *arguments]
preload.on_starting(object())
loaded = [name for name in preload.OF_TASKS if name in sys.modules]
late = []
for source in sources:
    tree = ast.parse(Path(source).read_text(encoding="utf-8"))
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    for node in (node for function in functions for node in ast.walk(function)):
        if isinstance(node, ast.ImportFrom) and node.module:
            before = set(sys.modules)
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
            if new := set(sys.modules) - before:
                late.append(f"{Path(source).name}: {node.module} brings {sorted(new)[:5]}")
print(json.dumps([loaded, late]))
"""


def started_as(*arguments: str) -> tuple[list[str], list[str]]:
    """Start as `airflow` with these arguments; give what was loaded then, and what tasks would import later."""
    sources = [str(PACKAGE / name) for name in ("tasks.py", "operators.py", "plan_operator.py", "groups.py")]
    done = subprocess.run(
        [sys.executable, "-c", START],
        input=json.dumps([arguments, sources]),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, late = json.loads(done.stdout.splitlines()[-1])
    return loaded, late


def test_the_scheduler_loads_everything_that_the_code_of_tasks_imports() -> None:
    loaded, late = started_as("scheduler")
    assert loaded == list(OF_TASKS)
    assert late == []


def test_other_components_load_nothing() -> None:
    loaded, late = started_as("api-server")
    assert "tryon_catalogue.planning.record" not in loaded
    assert late
