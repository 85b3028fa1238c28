"""Values that hold or travel with secrets: what printing, copying and pickling show of them."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from airflow_oauth_provider import exceptions as e
from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.access_token import TokenState
from airflow_oauth_provider.protocol.call.credentials import TokenHeader
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens import AccessToken
from tests.support.builders import NOW, SECRET, settings
from tests.support.service import Service

TOKEN = AccessToken("the-token-itself", "Bearer", NOW + 1000, NOW, frozenset({"a"}))


@pytest.mark.parametrize(
    "texts",
    [
        repr,
        str,
        "{}".format,
        "{!r}".format,
        lambda value: json.dumps(repr(value)),
    ],
    ids=["repr", "str", "format", "format-r", "json"],
)
def test_nothing_shows_the_secret(texts: Any) -> None:
    for value in (Secret(SECRET), TOKEN, [Secret(SECRET), TOKEN], settings()):
        assert SECRET not in texts(value)
        assert "the-token-itself" not in texts(value)
    assert "the-token-itself" not in repr(TokenHeader("Bearer the-token-itself"))


@pytest.mark.fault("P53")
def test_no_secret_is_pickled() -> None:
    for value in (Secret(SECRET), TOKEN, settings()):
        for carrier in (value, {"nested": [value]}):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(carrier)
        assert copy.deepcopy(value) == value


@pytest.mark.fault("P53")
def test_hook_and_auth_travel_without_secrets(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.connection().get_uri())
    hook, auth = OAuth2Hook("my_api", "GET"), OAuth2Auth("my_api")
    assert hook.run("x").json()["authorization"] == "Bearer tok-1"
    auth.client.get_token()
    for value in (hook, auth, hook.get_conn().auth, OAuth2Client("my_api")):
        pickled = pickle.dumps(value)
        assert b"a-client-secret" not in pickled
        assert b"tok-1" not in pickled
    again = pickle.loads(pickle.dumps(hook))
    assert again.run("x").json()["authorization"] == "Bearer tok-1"
    assert copy.deepcopy(hook).run("x").status_code == 200
    assert len(service.token_requests) == 1


def test_values_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        TOKEN.value = "x"  # type: ignore[misc]
    assert settings() == settings()
    assert settings() != settings(client_secret=Secret("x"))
    assert hash(settings()) == hash(settings())


@pytest.mark.parametrize(
    "lifetime, age, state",
    [
        (3600, 0, TokenState.FRESH),
        (3600, 3299, TokenState.FRESH),
        (3600, 3300, TokenState.ADVISORY),
        (3600, 3540, TokenState.MANDATORY),
        (3600, 3600, TokenState.EXPIRED),
        (100, 49, TokenState.FRESH),
        (100, 50, TokenState.ADVISORY),
        (100, 90, TokenState.MANDATORY),
        (0, 0, TokenState.EXPIRED),
        pytest.param(5, 2, TokenState.FRESH, id="short[T22]"),
        pytest.param(5, 4.4, TokenState.ADVISORY, id="short-advisory[T22]"),
        pytest.param(5, 4.5, TokenState.MANDATORY, id="short-mandatory[T22]"),
        pytest.param(3600, -301, TokenState.EXPIRED, id="from-the-future[K01]"),
        pytest.param(3600, -299, TokenState.FRESH, id="clocks-differ[K01]"),
    ],
)
def test_states(lifetime: float, age: float, state: TokenState) -> None:
    token = replace(TOKEN, expires_at=NOW + lifetime)
    assert token.state(NOW + age) is state


ERRORS: list[e.OAuthError] = [
    e.ConfigurationError("wrong", field="scope", conn_id="c"),
    e.TransportError("gone", host="h:1", attempts=4, elapsed=11.0, retry_after=3.0, conn_id="c"),
    e.TokenResponseError("odd", status=200, conn_id="c"),
    e.TokenEndpointError(
        "no", status=400, error="invalid_scope", description="d", uri="https://x", conn_id="c"
    ),
    e.InvalidClientError("no", status=401, error="invalid_client", retry_after=1.0, conn_id="c"),
    e.ResourceError("no", status=503, challenge="Bearer", retryable=True, retry_after=2.0, conn_id="c"),
    e.InsufficientScopeError("no", scope="a", status=403, challenge="Bearer", conn_id="c"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickle_and_copy(error: e.OAuthError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), error.for_connection("c")):
        assert type(again) is type(error)
        assert vars(again) == vars(error)
        assert str(again) == str(error)
        assert again.retryable == error.retryable
        assert again.__traceback__ is None
    assert str(error).startswith('Connection "c"')
    assert str(error.for_connection("other")).startswith('Connection "other"')
    assert error.conn_id == "c", "a copy was named, not the original"


def test_errors_are_what_existing_code_catches() -> None:
    from airflow.exceptions import AirflowException

    assert issubclass(e.ConfigurationError, ValueError)
    assert issubclass(e.ResourceError, AirflowException)
    assert issubclass(e.InvalidClientError, e.TokenEndpointError)
    assert all(issubclass(type(error), e.OAuthError) for error in ERRORS)


@pytest.mark.parametrize(("name", "says"), [("host", 'field "host": '), ("--set", 'option "--set": ')])
def test_an_option_of_a_command_is_called_so(name: str, says: str) -> None:
    assert str(e.ConfigurationError("is wrong", field=name)) == f"{says}is wrong"
