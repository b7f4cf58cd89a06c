"""A client as simple ones in public are: one header for everything, made once; a body of bytes; a loop."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import requests
from tests.guards import GUARD


class PlainClient:
    """Submits one look and asks until it is done, all with the very same headers."""

    def __init__(self, host: str, code: str) -> None:
        self.host = host
        self.header = {
            "Authorization": "APPCODE " + code,
            "X-Ca-Nonce": str(uuid.uuid4()),
            "Content-Type": "application/json; charset=UTF-8",
        }

    def call(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        raw = json.dumps({"data": data}).encode("utf-8")
        return dict(requests.post(self.host + path, data=raw, headers=self.header, timeout=GUARD).json())

    def dress(self, model: str, tops: str) -> str:
        task = {"model_image": model, "tops_image": tops, "pants_image": ""}
        answer = self.call(
            "/api/v1/tryon/submit", {"fit_type": "HALF_BODY", "inference_num": 1, "task_list": [task]}
        )
        key = answer["data"]["result_key"]
        pause = threading.Event()
        while True:
            answer = self.call("/api/v1/tryon/query", {"result_key": key})
            task_list = answer["data"]["task_list"]
            if task_list[0]["status"] == "SUCCESS":
                return str(task_list[0]["results"][0])
            pause.wait(0.05)


def test_a_client_with_one_nonce_for_a_submission_and_all_its_queries_gets_its_picture(shared: Any) -> None:
    client = PlainClient(shared.running.url, shared.running.credentials.appcode)

    link = client.dress(shared.wardrobe.model, shared.wardrobe.shirt)

    assert requests.get(link, timeout=GUARD).headers["Content-Type"] == "image/jpeg"
