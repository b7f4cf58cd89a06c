from __future__ import annotations

import pytest

from tryon_catalogue.settings import FetchSettings
from tryon_catalogue.workflow.host_headers import HostHeaderError, host_headers

WANTED = FetchSettings.model_validate(
    {"hosts": [{"host": "CDN.shop.example", "header": "X-Api-Key", "conn_id": "shop_cdn"}]}
)


def test_the_value_of_a_header_is_the_password_of_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_CDN", '{"conn_type": "generic", "password": "a b"}')
    assert host_headers(WANTED) == {"cdn.shop.example": {"X-Api-Key": "a b"}}
    assert host_headers(FetchSettings()) == {}


@pytest.mark.parametrize("password", ["", "two\\nlines", "schlüssel"])
def test_a_value_that_cannot_be_sent_names_the_connection_and_not_the_value(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_CDN", f'{{"conn_type": "generic", "password": "{password}"}}')
    with pytest.raises(HostHeaderError, match="Airflow connection shop_cdn") as caught:
        host_headers(WANTED)
    assert "lines" not in str(caught.value)
    assert "schlüssel" not in str(caught.value)
