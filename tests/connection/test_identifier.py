from __future__ import annotations

import pytest

from airflow_oauth_provider.connection.identifier import (
    DEFAULT_CONN_ID,
    connection_not_found,
    one_conn_id,
    require_no_auth_type,
)
from airflow_oauth_provider.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("oauth2", "http", "otherwise", "conn_id"),
    [
        (None, None, None, DEFAULT_CONN_ID),
        ("a", None, None, "a"),
        (None, "b", None, "b"),
        ("a", "a", "c", "a"),
        (None, None, "c", "c"),
        ("", "", "c", "c"),
    ],
)
def test_one_id_under_either_name(
    oauth2: str | None, http: str | None, otherwise: str | None, conn_id: str
) -> None:
    assert one_conn_id(oauth2, http, otherwise) == conn_id


def test_two_ids() -> None:
    with pytest.raises(ConfigurationError) as caught:
        one_conn_id("a", "b")
    assert caught.value.field == "oauth2_conn_id"


def test_an_auth_type_of_airflows() -> None:
    require_no_auth_type(None, "a")
    with pytest.raises(ConfigurationError) as caught:
        require_no_auth_type(object(), "a")
    assert (caught.value.field, caught.value.conn_id) == ("auth_type", "a")


@pytest.mark.fault("F17")
def test_an_id_that_no_connection_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", "x")
    monkeypatch.setenv("AIRFLOW_CONN_SOMETHING_ELSE", "x")
    error = connection_not_found("ordes_api")
    assert error.conn_id == "ordes_api"
    assert "orders_api" in str(error)
    assert "something_else" not in str(error)
    assert "environment" not in str(connection_not_found("qqqqq"))
