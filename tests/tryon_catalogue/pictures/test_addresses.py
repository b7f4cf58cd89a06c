"""Which addresses are public: the same on every Python, and what they carry counts."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tryon_catalogue.pictures.addresses import is_public

INNER = st.ip_addresses(v=4)


def carried(prefix: str, shift: int, inner: ipaddress.IPv4Address) -> str:
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(inner) << shift))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "47.88.1.2", "2400:3200::1", "2606:4700::1111", "::ffff:8.8.8.8"]
)
def test_what_anybody_reaches_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.251",
        "239.1.2.3",
        "255.255.255.255",
        "::",
        "::1",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "100::1",
        "2001:db8::1",
        "2001::1",
        "5f00::1",
        "64:ff9b:1::808:808",
        "::8.8.8.8",
        "2606:4700::1111%eth0",
    ],
)
def test_what_is_special_is_not(address: str) -> None:
    assert not is_public(address)


@given(INNER)
def test_an_address_is_as_public_as_the_one_it_carries(inner: ipaddress.IPv4Address) -> None:
    for prefix, shift in (("::ffff:0:0", 0), ("64:ff9b::", 0), ("2002::", 80)):
        assert is_public(carried(prefix, shift, inner)) == is_public(str(inner)), prefix


@given(INNER)
def test_carriers_that_are_out_of_use_are_never_public(inner: ipaddress.IPv4Address) -> None:
    for prefix, shift in (("::", 0), ("2001::", 64), ("64:ff9b:1::", 0)):
        assert not is_public(carried(prefix, shift, inner)), prefix


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_special_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_multicast or address.is_link_local or address.is_reserved:
        carrying = isinstance(address, ipaddress.IPv6Address) and (
            address.ipv4_mapped or address.sixtofour or address in ipaddress.IPv6Network("64:ff9b::/96")
        )
        assert carrying or not is_public(str(address))
