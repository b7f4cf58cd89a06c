from __future__ import annotations

import pytest

from damo_tryon.contract import url_problem
from tryon_catalogue.urls import canonical_url, encoded_target


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example/a%2Fb%7Ec%2c.jpg?Signature=%2B%3d,~&x=1",
        "https://CDN.Example:443/a/../b//c.jpg",
        "https://cdn.example/100%.jpg",
        "https://cdn.example/a b.jpg",
        "",
    ],
)
def test_a_url_in_ascii_is_left_byte_for_byte(url: str) -> None:
    assert canonical_url(url) == url


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://cdn.example/裙.jpg", "https://cdn.example/%E8%A3%99.jpg"),
        ("https://cdn.example/ø%2Fワ.jpg?t=é", "https://cdn.example/%C3%B8%2F%E3%83%AF.jpg?t=%C3%A9"),
        ("https://cdn.example/100%ワ.jpg", "https://cdn.example/100%25%E3%83%AF.jpg"),
        ("https://图片.example:8443/a.jpg", "https://xn--wcsw84d.example:8443/a.jpg"),
    ],
)
def test_other_letters_are_encoded_once_and_the_vendor_s_rule_is_kept(url: str, written: str) -> None:
    assert canonical_url(url) == written
    assert canonical_url(written) == written
    assert url_problem(written) is None


@pytest.mark.parametrize("url", ["https://[图/a.jpg", "https://cdn.example/\ud800.jpg"])
def test_what_cannot_be_written_in_ascii_stays_and_is_named(url: str) -> None:
    assert canonical_url(url) == url
    assert url_problem(url) is not None


def test_a_redirect_is_followed_byte_for_byte() -> None:
    assert encoded_target("/a%2Fb%7E?x=,") == "/a%2Fb%7E?x=,"
    assert encoded_target("/caf\udce9 裙") == "/caf%E9%20%E8%A3%99"
