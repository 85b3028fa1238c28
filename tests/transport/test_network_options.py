from __future__ import annotations

import ssl

import pytest

from airflow_oauth_provider.transport.network_options import NetworkOptions

CONTEXT = ssl.create_default_context()


@pytest.mark.fault("F23")
@pytest.mark.parametrize(
    ("listed", "host", "any_address"),
    [
        ((), "api.example", False),
        (("api.example",), "api.example", True),
        (("api.example",), "API.example", True),
        (("api.example",), "files.example", False),
        (("*.example",), "files.example", True),
        (("api.example",), "169.254.169.254", False),
        (("169.254.169.254",), "169.254.169.254", True),
        (("api.example",), "[::1", False),
        (("api.example",), "", False),
    ],
)
def test_only_a_listed_host_opens_its_own_address(
    listed: tuple[str, ...], host: str, any_address: bool
) -> None:
    assert NetworkOptions(CONTEXT, listed).any_address(host, 443) is any_address


def test_equal_ones_are_equal() -> None:
    one, other = NetworkOptions(CONTEXT, ("a",), ((1, 2, 3),)), NetworkOptions(CONTEXT, ("a",), ((1, 2, 3),))
    assert one == other
    assert len({one, other}) == 1
    assert one != NetworkOptions(CONTEXT)
