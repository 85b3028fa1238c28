"""A connection's values, apart from whatever read them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.values import ConnectionValues, team_of, value_of
from airflow_oauth_provider.exceptions import ConfigurationError

STANDARD = dict.fromkeys(("description", "host", "login", "password", "schema", "port", "extra"))


def test_all_is_copied_and_secrets_are_not_printed() -> None:
    given = SimpleNamespace(
        conn_id="orders", conn_type="t", **{**STANDARD, "password": "the-password", "extra": "the-extra"}
    )
    values = ConnectionValues.of(given)
    assert (values.conn_id, values.password, values.extra) == ("orders", "the-password", "the-extra")
    assert "the-password" not in repr(values)
    assert "the-extra" not in repr(values)
    assert ConnectionValues.of(values) is values


@pytest.mark.parametrize(
    ("attributes", "team"),
    [({}, None), ({"team_name": "red"}, "red"), ({"team": "blue"}, "blue"), ({"team_name": ""}, None)],
)
def test_the_team_where_airflow_says_so(attributes: dict[str, Any], team: str | None) -> None:
    assert team_of(SimpleNamespace(**attributes)) == team


@pytest.mark.parametrize(
    ("raised", "says"), [(ValueError("the-secret"), "not valid JSON"), (KeyError("the-secret"), "KeyError")]
)
def test_a_value_that_cannot_be_read_names_its_field(raised: Exception, says: str) -> None:
    class Connection:
        conn_id = "orders"

        @property
        def extra(self) -> str:
            raise raised

    with pytest.raises(ConfigurationError) as caught:
        value_of(Connection(), "extra")
    assert (caught.value.field, caught.value.conn_id) == ("extra", "orders")
    assert says in str(caught.value)
    assert "the-secret" not in str(caught.value)
