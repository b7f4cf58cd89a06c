"""People with the roles of Airflow's simple auth manager, each logged in by a password of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests

from tests.e2e.world import World

ROLES: Final[Mapping[str, str]] = {"viola": "viewer", "ursula": "user", "otto": "op", "ada": "admin"}
"""Name -> role, of everybody but the stack's own admin."""
USERS_SETTING: Final = {
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
        ["admin:admin", *(f"{name}:{role}" for name, role in ROLES.items())]
    )
}
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks Airflow's API server for something.

    Attributes:
        role: Of the simple auth manager; empty for somebody who is not logged in.
        url: Of the API server.
        headers: With the token.
    """

    role: str
    url: str
    headers: Mapping[str, str]

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send a request; the answer is whatever comes, an error included."""
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method, f"{self.url}{path}", headers=self.headers, timeout=PATIENCE, **more
            )

    def get(self, path: str, **params: Any) -> requests.Response:
        """Read something."""
        return self.ask("GET", path, params=params)


def people_of(world: World) -> dict[str, Person]:
    """Log in somebody of each role, and leave somebody out: role -> person, the stranger's being empty."""
    url = world.scene.stack.airflow_url
    # Airflow makes the passwords up when it starts, beside the one that is there.
    passwords = json.loads((world.scene.stack.home / "airflow" / "passwords.json").read_text("utf-8"))
    people = {"": Person("", url, {})}
    for name, role in ROLES.items():
        answer = people[""].ask("POST", "/auth/token", json={"username": name, "password": passwords[name]})
        answer.raise_for_status()
        people[role] = Person(role, url, {"Authorization": f"Bearer {answer.json()['access_token']}"})
    return people
