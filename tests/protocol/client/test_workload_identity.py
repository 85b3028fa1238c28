"""What a workload adds to a request: the platform's assertion, as it is."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.protocol.client.workload_identity import (
    ASSERTION_TYPES,
    workload_advice,
    workload_identity,
    workload_problems,
)
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from tests.support.builders import NOW, settings


def given(kind: str = "jwt-bearer", content: Secret | None = None, **changes: Any) -> ClientSettings:
    file = AssertionFile("/run/tokens/idp", kind, "/run/tokens", content)
    return settings(auth_method="workload_identity", client_secret=None, assertion_file=file, **changes)


@pytest.mark.parametrize("kind", ASSERTION_TYPES)
def test_the_assertion_goes_as_it_is(kind: str) -> None:
    proof = workload_identity(given(kind, Secret("a.b.c")), NOW, bytes)
    assert proof.form == (
        ("client_id", "my-client"),
        ("client_assertion_type", f"urn:ietf:params:oauth:client-assertion-type:{kind}"),
        ("client_assertion", "a.b.c"),
    )
    assert proof.headers == ()


@pytest.mark.parametrize("missing", [given(), settings()], ids=["content", "file"])
def test_without_one_nothing_can_be_built(missing: ClientSettings) -> None:
    with pytest.raises(ValueError, match="needs the assertion"):
        workload_identity(missing, NOW, bytes)


@pytest.mark.parametrize(
    ("kind", "client_id", "fields"),
    [
        ("jwt-bearer", "my-client", []),
        ("jwt-spiffe", "spiffe://example.org/x", []),
        ("jwt-spiffe", "my-client", ["login"]),
    ],
)
def test_the_client_id_of_a_svid(kind: str, client_id: str, fields: list[str]) -> None:
    assert [field for field, _ in workload_problems(given(kind, client_id=client_id))] == fields


def test_advice_says_when_it_is_sent_again() -> None:
    (advice,) = workload_advice(given())
    assert "until it changes" in advice
