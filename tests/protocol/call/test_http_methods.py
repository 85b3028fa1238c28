from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.call.http_methods import IDEMPOTENT, SAFE


@pytest.mark.parametrize(
    ("method", "safe", "idempotent"),
    [
        ("GET", True, True),
        ("HEAD", True, True),
        ("OPTIONS", True, True),
        ("PUT", False, True),
        ("DELETE", False, True),
        ("POST", False, False),
        ("PATCH", False, False),
        ("get", False, False),
    ],
)
def test_what_rfc_9110_says_of_it(method: str, safe: bool, idempotent: bool) -> None:
    assert (method in SAFE, method in IDEMPOTENT) == (safe, idempotent)
