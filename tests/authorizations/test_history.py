"""The history of a connection, for displays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airflow_oauth_provider.authorizations.actions import authorize, forget
from airflow_oauth_provider.authorizations.checking import Target, check_all
from airflow_oauth_provider.authorizations.description import describe
from airflow_oauth_provider.authorizations.history import history_of
from airflow_oauth_provider.client.history import recorder
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.deployment.policy import forget_policy, read_policy
from tests.support.service import Service
from tests.support.stores import SHARED, address_of


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "sales")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "load")
    recorder.reset()


def test_what_this_process_has_just_done_is_seen(service: Service) -> None:
    connection = service.connection()
    assert authorize(connection).ok
    history = history_of(connection)
    assert history is not None
    assert history.total(0, 1e12).granted == 1
    assert [(use.dag_id, use.task_id) for use in history.uses()] == [("sales", "load")]


def test_a_check_merges_what_tasks_have_appended(service: Service, tmp_path: Path) -> None:
    connection = service.connection()
    OAuth2Client("my_api", connection).get_token()
    recorder.end()
    folder = tmp_path / "oauth2_token_store"
    assert list(folder.glob("*.appended"))
    (checked,) = check_all([Target.of(connection)])
    assert checked.ok
    assert not list(folder.glob("*.appended"))


@pytest.mark.parametrize("store", SHARED)
def test_what_is_not_the_history_of_one_is_not_that_of_another(
    store: str, service: Service, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", address_of(store, request))
    authorize(service.connection(conn_id="one"))
    for other in (service.connection(conn_id="two"), service.connection(conn_id="one", login="other")):
        history = history_of(other)
        assert history is not None
        assert not history.buckets
    one = history_of(service.connection(conn_id="one"))
    assert one is not None
    assert one.total(0, 1e12).granted == 1


def test_the_totals_of_a_day_as_json_has_them(service: Service) -> None:
    connection = service.connection()
    assert describe(connection).report()["history"] is None
    authorize(connection)
    assert describe(connection).report()["history"] == {
        "tokens": 1,
        "requests": 1,
        "refused": 0,
        "failed": 0,
    }
    assert describe(service.connection(auth_method="wrong")).report()["history"] is None


def test_what_is_forgotten_is_the_token_and_not_the_history(service: Service) -> None:
    connection = service.connection()
    authorize(connection)
    forget(connection)
    history = history_of(connection)
    assert history is not None
    assert history.total(0, 1e12).granted == 1
    assert history.uses()


def test_uses_with_parameters_of_their_own_are_the_connections(service: Service) -> None:
    from airflow_oauth_provider.connection.token_parameters import TokenParameters

    connection = service.connection()
    OAuth2Client("my_api", connection, parameters=TokenParameters(scope=("write",))).get_token()
    OAuth2Client("my_api", connection).get_token()
    recorder.end()
    history = history_of(connection)
    assert history is not None
    assert history.total(0, 1e12).granted == 2


def test_with_history_days_0_none_is_kept_and_what_there_is_goes(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = service.connection()
    authorize(connection)
    assert history_of(connection) is not None
    monkeypatch.setenv("AIRFLOW__OAUTH2__HISTORY_DAYS", "0")
    forget_policy()
    authorize(connection)
    recorder.end()
    assert history_of(connection) is None
    monkeypatch.delenv("AIRFLOW__OAUTH2__HISTORY_DAYS")
    history = history_of(connection)
    assert history is not None
    assert not history.buckets


def test_a_connection_that_is_wrong_has_none(service: Service) -> None:
    assert history_of(service.connection(scope="read", auth_method="wrong")) is None


def test_the_policy_may_be_given(service: Service) -> None:
    policy = read_policy()
    kept_none = replace(policy, sharing=replace(policy.sharing, history_days=0))
    assert history_of(service.connection(), kept_none) is None
