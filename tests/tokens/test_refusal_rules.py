"""How long nobody asks again after a refusal, and what those who would are told."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.refusal_rules import (
    DISABLED_AFTER,
    PROBE_INTERVAL,
    REMEMBERED,
    is_final,
    remembered,
    rest,
    standing,
)
from tests.support.builders import NOW

REFUSED = InvalidClientError("no such client", status=401, error="invalid_client")


@pytest.mark.fault("F69")
@pytest.mark.parametrize(
    "error, final",
    [
        pytest.param(TokenEndpointError("x", status=400), True, id="400"),
        pytest.param(TokenEndpointError("x", status=401), True, id="401"),
        pytest.param(TokenEndpointError("x", status=403), True, id="403"),
        pytest.param(TokenEndpointError("x", status=403, is_page=True), False, id="a-page"),
        pytest.param(TokenEndpointError("x", status=404), False, id="404"),
        pytest.param(InsufficientScopeError("x", scope="a"), True, id="scope"),
        pytest.param(TokenResponseError("x"), False, id="no-answer"),
    ],
)
def test_which_refusals_without_a_code_are_final(error: OAuthError, final: bool) -> None:
    assert is_final(error) is final


def test_who_is_refused_too_often_is_asked_for_seldom() -> None:
    assert remembered("invalid_client", DISABLED_AFTER - 1) == REMEMBERED
    assert remembered("invalid_client", DISABLED_AFTER) == PROBE_INTERVAL
    assert remembered("invalid_scope", DISABLED_AFTER) == REMEMBERED


@pytest.mark.parametrize(
    "error, seconds",
    [
        pytest.param(TokenEndpointError("x", status=429, retry_after=7.0), 7.0, id="as-told"),
        pytest.param(TokenEndpointError("x", status=503), 5.0, id="503"),
        pytest.param(TransportError("x"), 0.0, id="transport"),
        pytest.param(TransportError("x", retry_after=9.0), 9.0, id="transport-as-told"),
    ],
)
def test_rest(error: OAuthError, seconds: float) -> None:
    assert rest(error) == seconds


def status(**changes: Any) -> Status:
    given = {"refused_at": NOW, "error": REFUSED, "refused_until": NOW + 60, "permanent": True, **changes}
    return Status(**given)


class TestStanding:
    """What is in force, at a time."""

    @pytest.mark.parametrize(
        "given, authorized_at, now",
        [
            pytest.param(Status(), None, NOW, id="nothing"),
            pytest.param(status(), None, NOW + 60, id="over"),
            pytest.param(status(), NOW + 1, NOW + 2, id="granted-since"),
            pytest.param(status(), None, NOW - 3600, id="from-the-future"),
        ],
    )
    def test_none(self, given: Status, authorized_at: float | None, now: float) -> None:
        assert standing([given], authorized_at, now) is None

    def test_the_first_that_is_in_force(self) -> None:
        error, seconds = standing([status(refused_until=NOW), status()], NOW - 1, NOW + 1) or (None, None)
        assert type(error) is InvalidClientError
        assert error is not REFUSED, "it is raised, and then changed"
        assert seconds == 0

    def test_a_rest_tells_how_long(self) -> None:
        busy = TokenEndpointError("busy", status=429, retry_after=60.0, retryable=True)
        error, seconds = standing([status(error=busy, permanent=False)], None, NOW + 20) or (None, None)
        assert seconds == 40
        assert isinstance(error, TokenEndpointError)
        assert error.retry_after == 40

    @pytest.mark.fault("P10")
    @pytest.mark.parametrize("meant, lasts", [(0.0, None), (5.0, 5.0)], ids=["none", "5s"])
    def test_a_rest_lasts_as_long_as_it_was_meant_to_though_a_clock_is_ahead(
        self, meant: float, lasts: float | None
    ) -> None:
        given = status(error=TransportError("cut"), permanent=False, refused_until=NOW + meant)
        in_force = standing([given], None, NOW - 120)
        assert (in_force and in_force[1]) == lasts

    def test_one_that_is_disabled_says_so(self) -> None:
        error, _ = standing([status(in_a_row=DISABLED_AFTER)], None, NOW) or (None, None)
        assert "disabled after 5 refusals in a row" in str(error)
