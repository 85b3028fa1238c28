"""What no database takes; more of it where connections are saved."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.storable import unstorable
from airflow_oauth_provider.authorizations.values import ConnectionValues

pytestmark = pytest.mark.airflow


def test_each_field_is_told() -> None:
    values = ConnectionValues("x", description="half \ud800", host="h" * 501, login="nul \0")
    assert unstorable(values) == {
        "description": "contains half a character (a lone surrogate): enter the text again",
        "host": "has more than 500 characters",
        "login": "contains a NUL character",
    }
    assert unstorable(ConnectionValues("x", host="https://idp.example/token")) == {}
