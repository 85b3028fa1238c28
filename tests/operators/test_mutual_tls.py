"""Tasks whose connection has a client certificate: what calls presents it, and what shows its end."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from airflow.providers.http.operators.http import HttpOperator

from airflow_oauth_provider.authorizations import authorize, describe, display_settings
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator, OAuth2HttpOperator
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from tests.operators.test_authorization_check import Task
from tests.support.bound_tokens import CLIENTS, bound_service, certified
from tests.support.confidential import assert_nothing_confidential
from tests.support.servers.certificates import Issued, authority, bundle, issue_client
from tests.support.service import Service
from tests.triggers.running import to_the_end

pytestmark = [pytest.mark.airflow]
PASSPHRASE = "Vq8-zz91-Kd03-hh27"


@pytest.fixture(scope="module")
def client() -> Issued:
    return issue_client(CLIENTS, days=(-1, 12.5))


@pytest.fixture
def bound(tmp_path: Path, client: Issued, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with bound_service(tmp_path) as service:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**certified(client)))
        yield service


class TestCalls:
    """Each of them is a call by a bound token, which the API takes with its certificate only."""

    def test_the_stock_operator_by_the_connections_name(self, bound: Service) -> None:
        operator = HttpOperator(task_id="call", http_conn_id="my_api", endpoint="items", method="GET")
        assert "Bearer tok-1" in operator.execute({})

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_the_operator(self, bound: Service, deferrable: bool) -> None:
        operator = OAuth2HttpOperator(
            task_id="call", oauth2_conn_id="my_api", method="GET", endpoint="items", deferrable=deferrable
        )
        result = to_the_end(operator) if deferrable else operator.execute({})
        assert "Bearer ***" in str(result)
        assert bound.calls[-1].certificate is not None

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_the_sensor(self, bound: Service, deferrable: bool) -> None:
        sensor = OAuth2HttpSensor(
            task_id="wait", oauth2_conn_id="my_api", endpoint="items", deferrable=deferrable
        )
        to_the_end(sensor)
        assert bound.calls[-1].certificate is not None

    def test_the_notifier(self, bound: Service) -> None:
        OAuth2HttpNotifier(oauth2_conn_id="my_api", endpoint="failures", data="x").notify({})
        assert bound.calls[-1].certificate is not None

    def test_the_probe_of_a_check(
        self, bound: Service, client: Issued, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changed = certified(client, probe_path="/health")
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", bound.environment(**changed))
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", bound.server.url.partition("://")[2])
        ok, message = OAuth2Hook("my_api").test_connection()
        assert ok, message
        assert bound.calls[-1].target == "/api/health"


def _in_its_field(client: Issued) -> dict[str, Any]:
    return certified(client)


def _with_the_key(client: Issued) -> dict[str, Any]:
    return certified(client, private_key=client.key + client.certificate, certificate=None)


def _for_jwts(client: Issued) -> dict[str, Any]:
    return certified(client, auth_method="private_key_jwt")


class TestItsEnd:
    """Page, commands and check operator."""

    @pytest.mark.parametrize("changes", [_in_its_field, _with_the_key, _for_jwts])
    def test_displays_say_when_it_ends(self, service: Service, client: Issued, changes: Any) -> None:
        state = describe(service.connection(**changes(client)))
        assert state.certificate_expires_at is not None

    def test_a_scheduled_check_warns_in_time(self, bound: Service) -> None:
        def warnings(days: int) -> str:
            operator = OAuth2AuthorizationCheckOperator(
                task_id="check", oauth2_conn_ids=["my_api"], expires_within_days=days
            )
            return str(operator.execute(Task().context)["connections"][0]["warnings"])

        assert "certificate ends in 12 days" in warnings(30)
        assert "certificate" not in warnings(10)

    def test_a_check_by_hand_tells_it(self, bound: Service, client: Issued) -> None:
        result = authorize(bound.connection(**certified(client)))
        assert result.ok
        assert result.certificate_expires_at is not None

    @pytest.mark.fault("C48")
    def test_one_that_has_ended_is_wrong_and_says_when(self, service: Service) -> None:
        ended = issue_client(CLIENTS, days=(-9, -1))
        state = describe(service.connection(**certified(ended)))
        assert state.status.name == "WRONG"
        assert "expired on 20" in (state.reason or "")


class TestLeaks:
    """Nothing of key or passphrase in errors, logs and displays."""

    CASES: ClassVar[dict[str, Any]] = {
        "passphrase[C47]": {"private_key_passphrase": "Lw4-uu68-Rb15-cc93"},
        "of-another-key[C47]": {"certificate": issue_client(CLIENTS).certificate},
        "no-PEM[C47]": {"certificate": "-----BEGIN CERTIFICATE-----"},
        "refused-by-the-server": None,
    }

    @pytest.mark.parametrize("case", CASES)
    def test_of_what_goes_wrong(
        self, bound: Service, client: Issued, case: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        issued = client if self.CASES[case] else issue_client(authority("Nobody's"))
        locked = base64.b64encode(bundle(issued, PASSPHRASE.encode())).decode()
        changes = {"private_key": locked, "private_key_passphrase": PASSPHRASE, **(self.CASES[case] or {})}
        if "certificate" not in changes:
            changes["certificate"] = None
        hook = OAuth2Hook(method="GET", connection=bound.connection(**certified(issued, **changes)))
        with caplog.at_level(logging.DEBUG), pytest.raises(OAuthError) as caught:
            hook.run("items")
        values = [locked, PASSPHRASE, changes["private_key_passphrase"], *issued.key.splitlines()[1:-1]]
        assert_nothing_confidential(caught.value, values)
        assert not [value for value in values if value in caplog.text]
        assert isinstance(caught.value, ConfigurationError) is bool(self.CASES[case])

    def test_of_what_is_displayed(
        self, bound: Service, client: Issued, caplog: pytest.LogCaptureFixture
    ) -> None:
        connection = bound.connection(**certified(client))
        with caplog.at_level(logging.DEBUG):
            hook = OAuth2Hook(method="GET", connection=connection)
            hook.run("items")
            texts = f"{describe(connection)!r} {display_settings(connection)!r} {authorize(connection)!r}"
        for line in client.key.splitlines()[1:-1]:
            assert line not in texts + caplog.text + hook.redact(f"the key: {client.key}")
