"""A connection's values, apart from whatever read them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.authorizations.values import ConnectionValues, team_of
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.service import Service


def test_they_are_those_of_the_connection(service: Service) -> None:
    connection = service.connection(scope="read")
    values = ConnectionValues.of(connection)
    for name in ("conn_id", "conn_type", "host", "login", "password", "port", "extra"):
        assert getattr(values, name) == getattr(connection, name)
    assert ConnectionValues.of(values) is values
    assert "a-client-secret" not in repr(values)


@pytest.mark.parametrize(
    ("error", "says"), [(ValueError("secret"), "is not valid JSON"), (OSError("secret"), "Fernet key")]
)
def test_one_that_cannot_be_read_is_named(error: Exception, says: str) -> None:
    class Broken:
        conn_id = "orders"
        conn_type = description = host = login = schema = port = extra = None

        @property
        def password(self) -> str:
            raise error

    with pytest.raises(ConfigurationError, match=says) as caught:
        ConnectionValues.of(Broken())
    assert (caught.value.conn_id, caught.value.field) == ("orders", "password")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "team"), [({}, None), ({"team_name": "red"}, "red"), ({"team": "red"}, "red")]
)
def test_the_team_has_two_names(names: dict[str, Any], team: str | None) -> None:
    assert team_of(type("Given", (), names)()) == team
