"""What is told of an authorization, without any network."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import (
    Authorization,
    AuthorizationStatus,
    authorize,
    describe,
    display_settings,
    forget,
)
from airflow_oauth_provider.authorizations.checking import Target, check_all
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.refusal_rules import DISABLED_AFTER
from tests.support.servers.certificates import pkcs12
from tests.support.servers.scripted import Json, Text, token_json
from tests.support.service import Service


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    """All of this is about what lies in the store."""


def use(connection: Any, *, force: bool = False) -> None:
    """Do what a task does; errors are part of the story."""
    try:
        OAuth2Client(connection.conn_id, connection).get_token(force=force)
    except OAuthError:
        return


def refuse(service: Service, description: str = "no such client") -> None:
    service.token = lambda _: Json({"error": "invalid_client", "error_description": description}, 401)


class TestStatus:
    """One row per status of the contract."""

    def test_not_yet(self, service: Service) -> None:
        state = describe(service.connection())
        assert (state.status, state.text) == (AuthorizationStatus.NOT_YET, "Not yet")
        assert service.token_requests == []

    def test_authorized_until(self, service: Service, another_process: Callable[[], None]) -> None:
        connection = service.connection(scope="read write")
        service.token = lambda _: token_json("tok-1", scope="read")
        use(connection)
        another_process()
        state = describe(connection)
        assert state.status is AuthorizationStatus.AUTHORIZED
        assert state.expires_at is not None
        until = datetime.fromtimestamp(state.expires_at, UTC)
        assert state.text == f"Authorized until {until:%Y-%m-%d %H:%M:%S} UTC"
        assert state.granted == ("read",)
        assert state.missing_scopes == ("write",)
        assert (state.requests, state.refusals) == (1, 0)
        assert state.authorized_at == pytest.approx(time.time(), abs=60)

    @pytest.mark.fault("F73")
    @pytest.mark.parametrize("named", [None, "read write"])
    def test_whether_the_server_named_the_scopes(
        self, named: str | None, service: Service, another_process: Callable[[], None]
    ) -> None:
        connection = service.connection(scope="read write")
        service.token = lambda _: token_json("tok-1", scope=named)
        (checked,) = check_all([Target.of(connection)])
        assert checked.report()["scopes_stated"] is (named is not None)
        another_process()
        state = describe(connection)
        assert state.granted == ("read", "write")
        assert state.scopes_stated is (named is not None)
        assert state.report()["scopes_stated"] is (named is not None)

    def test_tokens_without_a_request_are_told_of_with_the_next_note(self, service: Service) -> None:
        connection = service.connection()
        client = OAuth2Client("my_api", connection)
        for _ in range(9):
            client.get_token()
        assert describe(connection).hits == 0, "no write for a token from memory"
        client.get_token(force=True)
        state = describe(connection)
        assert (state.requests, state.refusals, state.hits) == (2, 0, 8)

    def test_requests_and_those_that_brought_no_token(self, service: Service) -> None:
        connection = service.connection(max_retry_attempts=1)
        service.token = lambda _: Json({}, 503, [("Retry-After", "0")])
        use(connection)
        state = describe(connection)
        assert (state.requests, state.refusals) == (2, 2), "all of them in the same unit"

    def test_a_token_that_is_over_is_no_error(self, service: Service) -> None:
        connection = service.connection()
        service.token = lambda _: token_json("tok-1", expires_in=0)
        use(connection)
        assert "over; a new token is fetched when one is needed" in describe(connection).text

    def test_refused_with_a_remedy(self, service: Service, another_process: Callable[[], None]) -> None:
        connection = service.connection()
        refuse(service)
        use(connection)
        another_process()
        state = describe(connection)
        assert state.status is AuthorizationStatus.REFUSED
        assert state.text == "Refused: invalid_client (no such client)"
        assert state.refusal is not None
        assert state.refusal.remedy.startswith("Check client id and secret")
        assert (state.refusal.error, state.refusal.status) == ("invalid_client", 401)

    def test_edited_since(self, service: Service, another_process: Callable[[], None]) -> None:
        use(service.connection())
        another_process()
        edited = service.connection(scope="other")
        state = describe(edited)
        assert state.status is AuthorizationStatus.EDITED
        assert state.text.startswith("Edited since it was last used (")
        use(edited)
        assert describe(edited).status is AuthorizationStatus.AUTHORIZED

    def test_a_new_secret_is_an_edit_too(self, service: Service) -> None:
        use(service.connection())
        assert describe(service.connection(password="a-new-secret")).status is AuthorizationStatus.EDITED

    def test_a_changed_category_is_none(self, service: Service) -> None:
        use(service.connection())
        state = describe(service.connection(category="finance", max_wait=5))
        assert (state.status, state.category) == (AuthorizationStatus.AUTHORIZED, "finance")

    def test_edited_also_where_another_connection_had_got_the_token(
        self, service: Service, another_process: Callable[[], None]
    ) -> None:
        """Two connections with equal settings share: the second asks nobody, and is noted all the same."""
        use(service.connection(conn_id="first"))
        another_process()
        use(service.connection(conn_id="second"))
        assert len(service.token_requests) == 1
        edited = service.connection(conn_id="second", scope="other")
        assert describe(edited).status is AuthorizationStatus.EDITED

    def test_disabled_with_its_reason(self, service: Service, another_process: Callable[[], None]) -> None:
        refuse(service, "locked")
        connection = service.connection()
        for _ in range(DISABLED_AFTER):
            use(connection)
            self.let_the_refusal_lapse(connection)
        another_process()
        state = describe(connection)
        assert state.status is AuthorizationStatus.DISABLED
        assert state.text == "Disabled: invalid_client (locked), 5 times in a row"
        service.token = None
        assert authorize(connection).ok, "a person may try at once"
        assert describe(connection).status is AuthorizationStatus.AUTHORIZED

    @staticmethod
    def let_the_refusal_lapse(connection: Any) -> None:
        from dataclasses import replace

        from airflow_oauth_provider.connection.resolving import resolve
        from airflow_oauth_provider.tokens.entries import Entries
        from airflow_oauth_provider.tokens.sealed_entries import refusals

        policy = read_policy()
        entries = Entries(resolve(connection, policy).settings, policy.sharing)
        entries._put_status(replace(entries.status(), refused_until=0))
        entries._delete("client", entries._presented_key)
        refusals.clear()

    def test_a_passing_failure_does_not_hide_a_good_token(self, service: Service) -> None:
        connection = service.connection(max_retry_attempts=0)
        use(connection)
        service.token = lambda _: Json({}, 503)
        use(connection, force=True)
        state = describe(connection)
        assert state.status is AuthorizationStatus.AUTHORIZED
        assert state.refusal is not None
        assert state.refusal.reason == "HTTP status 503"

    def test_a_refusal_for_good_does(self, service: Service) -> None:
        connection = service.connection()
        use(connection)
        refuse(service)
        use(connection, force=True)
        assert describe(connection).status is AuthorizationStatus.REFUSED

    def test_the_refusal_of_a_client_concerns_all_its_connections(self, service: Service) -> None:
        refuse(service)
        use(service.connection(conn_id="one"))
        state = describe(service.connection(conn_id="two", scope="other"))
        assert state.status is AuthorizationStatus.REFUSED

    def test_forgotten(self, service: Service, another_process: Callable[[], None]) -> None:
        connection = service.connection()
        use(connection)
        forget(connection)
        assert describe(connection).status is AuthorizationStatus.NOT_YET
        use(connection)
        assert len(service.token_requests) == 2
        assert describe(connection).status is AuthorizationStatus.AUTHORIZED


WRONG: list[Any] = [
    pytest.param({"host": ""}, 'field "host"', id="no-token-url"),
    pytest.param({"password": None}, 'field "password"', id="no-secret"),
    pytest.param({"max_wait": "soon"}, 'field "max_wait"', id="no-number"),
    pytest.param({"client_secret": "hidden-here"}, 'field "client_secret"', id="misplaced-secret"),
]


class TestWrongConfiguration:
    """A status like any other: a list goes on."""

    @pytest.mark.parametrize("changes, field", WRONG)
    def test_it_names_the_field(self, changes: dict[str, Any], field: str, service: Service) -> None:
        state = describe(service.connection(category="finance", **changes))
        assert state.status is AuthorizationStatus.WRONG
        assert state.text.startswith("Wrong configuration: field ")
        assert field in state.text
        assert state.category == "finance"
        assert "hidden-here" not in repr(state) + json.dumps(state.report())

    def test_a_wrong_airflow_cfg(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "https://not-a-host/")
        state = describe(service.connection())
        assert state.status is AuthorizationStatus.WRONG
        assert "allowed_token_hosts" in state.text

    def test_a_value_that_cannot_be_decrypted(self) -> None:
        class Stored:
            conn_id = "sealed"
            conn_type = "oauth2_client_credentials"
            description = host = login = schema = port = extra = None

            @property
            def password(self) -> str:
                raise RuntimeError("InvalidToken")

        state = describe(Stored())
        assert state.status is AuthorizationStatus.WRONG
        assert "Fernet key" in state.text


class TestDetails:
    """What a page shows beside the status."""

    def test_the_default_category(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__DEFAULT_CATEGORY", "integration")
        assert describe(service.connection()).category == "integration"

    def test_it_holds_no_secret(self, service: Service) -> None:
        connection = service.connection(secret_params="pin=hidden-pin", proxy_url=None)
        use(connection)
        texts = (
            repr(describe(connection))
            + json.dumps(describe(connection).report())
            + repr(display_settings(connection))
        )
        for secret in ("a-client-secret", "hidden-pin", "tok-1"):
            assert secret not in texts

    def test_a_long_name_and_an_unknown_key_are_warned_about(self, service: Service) -> None:
        warnings = describe(service.connection(conn_id="n" * 51, scopes="read")).warnings
        assert any("longer than 50" in warning for warning in warnings)
        assert any('"scopes"' in warning for warning in warnings)

    def test_the_certificate_behind_a_private_key(self, service: Service) -> None:
        ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=12)
        connection = service.connection(
            password=None,
            auth_method="private_key_jwt",
            private_key=base64.b64encode(pkcs12(b"a passphrase", not_after=ends)).decode(),
            private_key_passphrase="a passphrase",
        )
        assert describe(connection).certificate_expires_at == ends.timestamp()


class TestTeams:
    """Two teams may own one connection id; tasks are not told of teams."""

    def owned_by(self, service: Service, team: str | None, **changes: Any) -> Any:
        from airflow_oauth_provider.authorizations import ConnectionValues

        connection = service.connection(**changes)
        values = ConnectionValues.of(connection)
        return ConnectionValues(**{**vars(values), "team": team})

    def test_the_token_is_the_one_that_tasks_use(self, service: Service) -> None:
        assert authorize(self.owned_by(service, "blue")).ok
        use(service.connection())
        assert len(service.token_requests) == 1

    def test_what_one_team_has_tried_is_no_news_of_the_other(self, service: Service) -> None:
        authorize(self.owned_by(service, "blue"))
        state: Authorization = describe(self.owned_by(service, "green", scope="other"))
        assert state.status is AuthorizationStatus.NOT_YET
        assert describe(self.owned_by(service, "blue", scope="other")).status is AuthorizationStatus.EDITED


class TestRevoked:
    """What was taken back authorizes nobody."""

    @pytest.mark.parametrize(
        "response", [Text(200), Json({"error": "server_error"}, 400)], ids=["done", "refused"]
    )
    def test_not_yet(self, response: Any, service: Service, another_process: Callable[[], None]) -> None:
        """Also where the server does not confirm it: nothing here uses the token any more."""
        connection = service.connection(max_retry_attempts=0)
        use(connection)
        plain = service._respond
        service.server.script(lambda request: response if request.target == "/revoke" else plain(request))
        with suppress(OAuthError):
            OAuth2Hook(connection=connection).revoke(endpoint=f"{service.server.url}/revoke")
        assert any(request.target == "/revoke" for request in service.server.requests)
        for _ in range(2):
            state = describe(connection)
            assert (state.status, state.text) == (AuthorizationStatus.NOT_YET, "Not yet")
            assert (state.expires_at, state.authorized_at, state.granted) == (None, None, ())
            another_process()
        use(connection)
        assert describe(connection).status is AuthorizationStatus.AUTHORIZED

    def test_a_foreign_token_changes_nothing(self, service: Service) -> None:
        connection = service.connection()
        use(connection)
        plain = service._respond
        service.server.script(lambda request: Text(200) if request.target == "/revoke" else plain(request))
        OAuth2Hook(connection=connection).revoke("of-somebody-else", endpoint=f"{service.server.url}/revoke")
        assert describe(connection).status is AuthorizationStatus.AUTHORIZED

    def test_a_refusal_that_came_before_is_shown(self, service: Service) -> None:
        connection = service.connection(max_retry_attempts=0)
        use(connection)
        service.token = lambda _: Json({"error": "invalid_scope"}, 400)
        use(connection, force=True)
        plain = service._respond
        service.server.script(lambda request: Text(200) if request.target == "/revoke" else plain(request))
        OAuth2Hook(connection=connection).revoke(endpoint=f"{service.server.url}/revoke")
        assert describe(connection).status is AuthorizationStatus.REFUSED


def test_another_scopes_success_is_not_this_ones(service: Service) -> None:
    """The client is known; whether this scope is granted, nobody has asked."""
    read, write = (
        service.connection(conn_id="read", scope="read"),
        service.connection(conn_id="write", scope="write"),
    )
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    use(read)
    assert describe(write).status is AuthorizationStatus.REFUSED
    service.token = None
    assert authorize(read).ok
    assert describe(write).status is AuthorizationStatus.NOT_YET
