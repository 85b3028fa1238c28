"""Addresses that a token must not reach, in every spelling."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.urls import acceptable, is_forbidden_address, is_loopback

FORBIDDEN = [
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "::169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00:808:808",
    "64:ff9b:1:2a9:fe:a9fe:808:808",
    "64:ff9b:1:203:a9:fea9:fe08:808",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2001:0:53aa:64c:0:fbff:f5fe:f00a",
]
SERVERS = [
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "93.184.216.34",
    "64:ff9b::93.184.216.34",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "64:ff9b:1:2:3::93.184.216.34",
    "2001:db8::1",
    "2a00:1450:4001::1",
    "fd12:3456::1",
    "a name",
]


@pytest.mark.fault("F28")
@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_server_is_there(address: str) -> None:
    assert is_forbidden_address(address)
    assert not acceptable("idp.example", address)
    assert acceptable("idp.example", address, any_address=True), "where the host is allow-listed"


@pytest.mark.parametrize("address", SERVERS)
def test_a_server_may_be_there(address: str) -> None:
    assert not is_forbidden_address(address)
    assert acceptable("idp.example", address)


@pytest.mark.fault("F26")
@pytest.mark.parametrize("host", ["localhost", "x.localhost", "X.Localhost.", "127.0.0.1", "::1"])
def test_a_name_of_this_machine_is_loopback_or_nothing(host: str) -> None:
    for address in ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"):
        assert acceptable(host, address)
    for address in ("10.0.0.1", "93.184.216.34", "64:ff9b::127.0.0.1", "0.0.0.0"):
        assert not acceptable(host, address)
        assert not acceptable(host, address, any_address=True)


@pytest.mark.parametrize(
    "host", ["localhost.example", "notlocalhost", "64:ff9b::7f00:1", "::7f00:1", "10.0.0.1"]
)
def test_other_names_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
