"""The nightly DAG as Airflow runs it: from a small export to rows in the shop's table, and nothing paid twice."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from tests.tryon_catalogue.vendor import connection_to, open_vendor, open_website

COLUMNS = (
    "sku",
    "title",
    "collection",
    "category",
    "gender",
    "image_url",
    "pants_url",
    "model_url",
    "mask_url",
)


def shop_rows(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        return {row.sku: row for row in connection.execute(text("SELECT * FROM catalogue"))}


def test_a_night_fills_the_catalogue_and_the_next_one_pays_for_nothing(
    tmp_path: Path, database: Engine, run_dag: Callable[..., list[dict[str, Any]]]
) -> None:
    with open_website() as site, open_vendor() as vendor:
        dates = ["2026-11-20", "2026-11-21"]
        for date in dates:
            with (tmp_path / f"export-{date}.csv").open("w") as file:
                rows = csv.DictWriter(file, COLUMNS)
                rows.writeheader()
                rows.writerow(
                    {
                        "sku": "shirt",
                        "category": "shirt",
                        "gender": "women",
                        "image_url": f"{site.url}/top-1.png",
                    }
                )
                rows.writerow(
                    {
                        "sku": "dress",
                        "category": "dress",
                        "gender": "women",
                        "image_url": f"{site.url}/top-2.png",
                    }
                )
                rows.writerow({"sku": "bad", "category": "shirt", "gender": "women", "image_url": "top.png"})
        models = [{"name": name, "image": f"{site.url}/anna.png", "tags": ["women"]} for name in ("Anna",)]
        first, second = run_dag(
            "tryon_nightly",
            dates,
            {
                "AIRFLOW_CONN_DAMO_TRYON": connection_to(vendor),
                "TRYON_EXPORT__PATH": str(tmp_path / "export-{ds}.csv"),
                "TRYON_ROSTER__MODELS": json.dumps(models),
            },
        )
        assert (first["state"], second["state"]) == ("success", "success")
        ran = Counter(task for task, _, state in first["tasks"] if state == "success")
        assert ran == {
            "export": 1,
            "preflight": 1,
            "plan": 1,
            "batch": 2,
            "account": 1,
            "verdict": 1,
        }
        report = vendor.charges()
    assert (report.uses, report.max_times_one_look_was_charged) == (2, 1)
    rows_now = shop_rows(database)
    for sku in ("shirt", "dress"):
        assert rows_now[sku].tryon_status == "PUBLISHED"
        assert Path(rows_now[sku].tryon_picture_url).read_bytes()
    assert rows_now["bad"].tryon_status == "REJECTED"
    assert "URL" in rows_now["bad"].tryon_detail
