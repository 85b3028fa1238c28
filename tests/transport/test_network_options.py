from __future__ import annotations

import ssl

import pytest

from airflow_oauth_provider.transport.network_options import NetworkOptions


@pytest.mark.fault("F23")
@pytest.mark.parametrize(
    ("host", "port", "meant"),
    [
        ("api.example", 443, True),
        ("API.example.", 443, True),
        ("api.example", 8443, True),
        ("below.wild.example", 443, True),
        ("wild.example", 443, False),
        ("port.example", 8443, True),
        ("port.example", 443, False),
        ("[fe80::1]", 443, True),
        ("169.254.169.254", 443, False),
        ("other.example", 443, False),
        ("no host", 443, False),
    ],
)
def test_just_the_listed_hosts_may_have_any_address(host: str, port: int, meant: bool) -> None:
    listed = ("api.example", "*.wild.example", "port.example:8443", "[fe80::1]")
    assert NetworkOptions(ssl.create_default_context(), listed).any_address(host, port) is meant


def test_without_a_list_no_host_may() -> None:
    assert not NetworkOptions(ssl.create_default_context()).any_address("api.example", 443)
