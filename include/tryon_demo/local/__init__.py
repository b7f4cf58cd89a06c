"""PostgreSQL, Airflow and side processes on one machine, for `make demo`, the benchmarks and the end-to-end tests.

    with LocalStack(home, dags_folder=..., env={...}) as stack:
        sandbox = stack.spawn("sandbox", [...], ready=ManagedProcess.first_json_line)
        api = stack.start_airflow({"AIRFLOW_CONN_DAMO_TRYON": ...})
        stack.wait_for_dags("tryon_nightly")
        run = api.trigger_dag("tryon_nightly")

`postgres` is the embedded PostgreSQL, `processes`, `locks`, `ports` and `signals` are what keeps processes in
order, `airflow` how Airflow is set up, `api` its REST API, `stack` all of it together. None of it imports Airflow.
Production needs nothing of this package.
"""

from tryon_demo.local.api import (
    AirflowApi,
    AirflowApiError,
    DagRun,
    RunState,
    RunTimeoutError,
    TaskInstance,
)
from tryon_demo.local.locks import FolderInUseError
from tryon_demo.local.ports import PortTakenError, free_port, remembered_port
from tryon_demo.local.postgres import LocalPostgres, LocalPostgresError, StopMode
from tryon_demo.local.processes import ManagedProcess, ProcessFailedError
from tryon_demo.local.stack import LocalStack, StackError, TaskProcess

__all__ = [
    "AirflowApi",
    "AirflowApiError",
    "DagRun",
    "FolderInUseError",
    "LocalPostgres",
    "LocalPostgresError",
    "LocalStack",
    "ManagedProcess",
    "PortTakenError",
    "ProcessFailedError",
    "RunState",
    "RunTimeoutError",
    "StackError",
    "StopMode",
    "TaskInstance",
    "TaskProcess",
    "free_port",
    "remembered_port",
]
