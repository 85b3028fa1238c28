"""Which connections are lent, and which tokens can be."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from airflow_oauth_provider.client import lending
from airflow_oauth_provider.client.lending import Lending, require_bearer
from airflow_oauth_provider.deployment.policy import GOOD_FOR
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.tokens import AccessToken

Require = Callable[[Lending], None]
BOTH = pytest.mark.parametrize("require", [Lending.require, Lending.require_in_loop])
VARIABLE = "AIRFLOW__OAUTH2__LENT_CONNECTIONS"


@BOTH
def test_a_permission_holds_for_a_minute(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(lending, "monotonic", lambda: now)
    monkeypatch.setenv(VARIABLE, "one")
    permission = Lending("one")
    require(permission)
    monkeypatch.setenv(VARIABLE, "")
    now += GOOD_FOR - 1
    require(permission)
    now += 1
    with pytest.raises(ConfigurationError):
        require(permission)


@BOTH
def test_a_refusal_is_not_kept(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    permission = Lending("one")
    with pytest.raises(ConfigurationError, match='"lent_connections = one"'):
        require(permission)
    monkeypatch.setenv(VARIABLE, "one")
    require(permission)


def test_it_does_not_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process has a clock and a configuration of its own."""
    monkeypatch.setenv(VARIABLE, "one")
    permission = Lending("one")
    permission.require()
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(ConfigurationError):
        pickle.loads(pickle.dumps(permission)).require()


def test_a_token_that_is_bound_to_a_key_is_of_no_use_to_others() -> None:
    bearer = AccessToken("a-token", "Bearer", 2.0, 1.0)
    assert require_bearer(bearer, "my_api") is bearer
    with pytest.raises(ConfigurationError, match="DPoP") as refused:
        require_bearer(AccessToken("a-token", "DPoP", 2.0, 1.0), "my_api")
    assert (refused.value.conn_id, refused.value.field) == ("my_api", "dpop")
