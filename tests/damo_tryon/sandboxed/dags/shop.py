"""Operator and sensor as somebody with an Airflow of their own uses them. The looks come from the environment."""

from __future__ import annotations

import json
import os
from datetime import timedelta

from airflow.sdk import DAG

from damo_tryon.operators import TryOnSubmitOperator
from damo_tryon.sensors import TryOnResultSensor

with DAG("shop"):
    submit = TryOnSubmitOperator(
        task_id="submit",
        tasks=json.loads(os.environ["LOOKS"]),
        fit_type="HALF_BODY",
        retries=1,
        retry_delay=timedelta(seconds=0),
        retry_policy=None,
    )
    TryOnResultSensor(task_id="wait", result_keys=submit.output, deferrable=True)
