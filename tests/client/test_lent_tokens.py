"""What adapters have in common: lent tokens of one connection, asked for by a library's own configuration."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest

from airflow_oauth_provider.client.lent_tokens import LentTokens
from airflow_oauth_provider.connection.token_parameters import chosen_parameters
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.servers.scripted import token_json
from tests.support.service import Service


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``my_api`` that is lent; its token says what was asked for."""
    service.token = lambda request: token_json(f"tok-{'+'.join(request.form.get('scope', ['none']))}")
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_api")
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(scope="own", tenants=["acme"]))
    return service


def test_tokens_of_the_connection_and_of_other_parameters(lent: Service) -> None:
    assert LentTokens("my_api").prepare().authorization() == "Bearer tok-own"
    arguments = {"scope": "a", "audience": "https://a.example", "resource": ["https://r.example"]}
    chosen = LentTokens.of({"oauth2_conn_id": "my_api", **arguments}, stands_in="auth")
    assert chosen.prepare().token().value == "tok-a"
    request = lent.token_requests[-1]
    assert (request.form["audience"], request.form["resource"]) == (
        ["https://a.example"],
        ["https://r.example"],
    )


def test_printing_does_not_show_the_header(lent: Service) -> None:
    assert repr(LentTokens("my_api").prepare().authorization()) == "'Bearer ***'"


def test_one_that_is_not_lent(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", lent.environment())
    with pytest.raises(ConfigurationError, match='"lent_connections = my_api, other"') as refused:
        LentTokens("other").prepare()
    assert (refused.value.conn_id, refused.value.field) == ("other", "lent_connections")
    assert LentTokens("other").prepare(lent=False).token().value == "tok-read"


def test_one_that_is_lent_no_more(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token in memory stays in use; of the next one the permission is asked again."""
    now = [1000.0]
    monkeypatch.setattr("airflow_oauth_provider.client.lending.monotonic", lambda: now[0])
    tokens = LentTokens("my_api").prepare()
    tokens.token()
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "")
    now[0] += 3600
    assert tokens.token().value == "tok-own"
    tokens._client.forget()
    with pytest.raises(ConfigurationError, match="not lent"):
        tokens.token()


def test_other_threads_do_not_read_airflow_cfg(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = LentTokens("my_api").prepare(once=True)

    def refuse() -> Any:
        raise AssertionError("airflow.cfg is read")

    for module in ("client.lending", "client.masking", "client.reading"):
        monkeypatch.setattr(f"airflow_oauth_provider.{module}.read_policy", refuse)
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(tokens.token().value))
    thread.start()
    thread.join()
    assert seen == ["tok-own"]


def test_it_travels_as_an_id(lent: Service) -> None:
    tokens = LentTokens("my_api", chosen_parameters("my_api", "a")).prepare()
    tokens.token()
    for travelled in (pickle.loads(pickle.dumps(tokens)), copy.deepcopy(tokens)):
        assert travelled.token().value == "tok-a"
        assert travelled.conn_id == "my_api"
    assert b"tok-a" not in pickle.dumps(tokens)
    assert b"a-client-secret" not in pickle.dumps(tokens)


def test_one_that_travels_is_asked_for_its_permission_again(
    lent: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    travelled = pickle.loads(pickle.dumps(LentTokens("my_api").prepare()))
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "")
    with pytest.raises(ConfigurationError, match="not lent"):
        travelled.token()


@pytest.mark.parametrize(
    ("extra", "field", "says"),
    [
        pytest.param({"dpop": True}, "dpop", "DPoP", id="bound to a key"),
        pytest.param({"header_name": "X-Api-Token"}, "header_name", "only knows Authorization", id="header"),
    ],
)
def test_tokens_that_such_a_library_cannot_use(
    extra: dict[str, Any], field: str, says: str, lent: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "DPoP" if "dpop" in extra else "Bearer"
    lent.token = lambda _: token_json("tok-1", token_type=kind)
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", lent.environment(**extra))
    with pytest.raises(ConfigurationError, match=says) as refused:
        LentTokens("my_api").prepare().authorization()
    assert (refused.value.conn_id, refused.value.field) == ("my_api", field)


def test_the_scheme_is_the_connections(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", lent.environment(header_scheme="Token", scope="own"))
    assert LentTokens("my_api").prepare().authorization() == "Token tok-own"


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param({}, "must name a connection as oauth2_conn_id", id="nothing"),
            pytest.param({"oauth2_conn_id": ""}, "must name a connection", id="empty"),
            pytest.param({"oauth2_conn_id": 7}, "must name a connection", id="a number"),
            pytest.param({"oauth2_conn_id": ["my_api", "other"]}, "must name a connection", id="two"),
            pytest.param({"oauth2_conn_id": "my\napi"}, "must name a connection", id="two lines"),
            pytest.param(
                {"oauth2_conn_id": "my_api", "scopes": "a"},
                "has no scopes, only oauth2_conn_id, scope",
                id="unknown",
            ),
            pytest.param({"oauth2_conn_id": "my_api", "x" * 5000: 1}, "has no xxx", id="a long name"),
            pytest.param(
                {"oauth2_conn_id": "my_api", **{f"x{number}": 1 for number in range(500)}},
                "has no x0, x1",
                id="many names",
            ),
            pytest.param({"oauth2_conn_id": "my_api", "scope": "a\x00b"}, "scope", id="a scope with NUL"),
            pytest.param({"oauth2_conn_id": "my_api", "tenant": "evil.example/"}, "tenant", id="a tenant"),
        ],
    )
    def test_that_cannot_be_meant(self, arguments: dict[str, Any], says: str) -> None:
        with pytest.raises(ConfigurationError, match=says) as refused:
            LentTokens.of(arguments, stands_in="auth")
        assert refused.value.field in {"auth", "scope", "tenant"}
        assert len(str(refused.value)) < 1000
