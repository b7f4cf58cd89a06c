"""How long Airflow takes to read a DAG file, beyond importing Airflow itself."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ground import PROJECT, run_python

RUNS = 5
# One process imports what the reader of DAG files has imported anyway, with the parts of the SDK that are imported
# when used; each reading happens in a fork of it, which has read no DAG file before. As in that reader, what was there
# before is frozen: else a collection of Airflow's own objects, which may or may not fall due, counts as ours.
CODE = """
import gc, importlib.util, json, os, statistics, sys, time
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseOperator, DAG, Param, dag, task, task_group
from airflow.providers.standard.decorators.python import python_task

def seconds(file):
    reader, writer = os.pipe()
    if os.fork() == 0:
        spec = importlib.util.spec_from_file_location("measured", file)
        module = importlib.util.module_from_spec(spec)
        began = time.process_time()
        spec.loader.exec_module(module)
        os.write(writer, str(time.process_time() - began).encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    return float(os.read(reader, 100))

gc.freeze()
runs = int(sys.argv[1])
print(json.dumps([statistics.median(seconds(file) for _ in range(runs)) for file in sys.argv[2:]]))
"""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A DAG file.

    Attributes:
        file: Its name.
        seconds: Of CPU to read it the first time in a process, the median of several.
    """

    file: str
    seconds: float


def measure_parsing() -> list[Parsed]:
    """Read each DAG file several times."""
    files = sorted((PROJECT / "dags").glob("*.py"))
    found = json.loads(run_python(CODE, str(RUNS), *map(str, files)))
    return [Parsed(file.name, seconds) for file, seconds in zip(files, found, strict=True)]
