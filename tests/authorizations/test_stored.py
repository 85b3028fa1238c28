"""Connections as the columns of the metadata database hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet, InvalidToken

from airflow_oauth_provider.authorizations import ConnectionValues, stored
from airflow_oauth_provider.authorizations.stored import StoredConnection
from tests.support.migrated import migrate
from tests.support.service import Service

KEY = Fernet(Fernet.generate_key())


def connection(**changes: object) -> StoredConnection:
    values: dict[str, object] = {
        "conn_id": "orders",
        "conn_type": "oauth2_client_credentials",
        **dict.fromkeys(("description", "host", "schema", "login", "port", "team_name")),
        "stored_password": KEY.encrypt(b"the-password").decode(),
        "stored_extra": '{"scope": "the-scope"}',
        "is_encrypted": True,
        "is_extra_encrypted": False,
        **changes,
    }
    return StoredConnection(**values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _fernet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "get_fernet", lambda: KEY)


def test_secrets_are_decrypted_when_they_are_read() -> None:
    given = connection()
    assert given.password == "the-password"
    assert given.extra == '{"scope": "the-scope"}'
    encrypted = connection(stored_extra=KEY.encrypt(b"{}").decode(), is_extra_encrypted=True)
    assert encrypted.extra == "{}"


@pytest.mark.parametrize("value", [None, ""])
def test_what_is_empty_is_not_decrypted(value: str | None) -> None:
    assert connection(stored_password=value).password == value


def test_another_key_raises_only_when_it_is_read() -> None:
    given = connection(stored_password=Fernet(Fernet.generate_key()).encrypt(b"x").decode())
    assert given.conn_id == "orders"
    with pytest.raises(InvalidToken):
        _ = given.password


def test_printing_shows_neither() -> None:
    given = connection(is_encrypted=False, stored_password="the-password")
    assert given.password == "the-password"
    assert "the-password" not in repr(given)
    assert "the-scope" not in repr(given)


@pytest.fixture
def rows(service: Service) -> Iterator[None]:
    """Two connections of ours, and one of another type."""
    migrate()
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session(scoped=False) as session:
        for conn_id, conn_type in (("b", None), ("a", None), ("other", "http")):
            given = service.connection(conn_id=conn_id)
            names = ("conn_type", "host", "login", "password", "extra")
            values = {name: getattr(given, name) for name in names}
            session.add(
                Connection(conn_id=conn_id, **values | ({"conn_type": conn_type} if conn_type else {}))
            )
    yield
    with create_session(scoped=False) as session:
        session.execute(delete(Connection))


@pytest.mark.airflow
@pytest.mark.xdist_group("page")  # one database
@pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy")  # Airflow 3.1's models
def test_those_of_our_type_by_name(rows: None) -> None:
    from airflow_oauth_provider.authorizations.stored import find_connection, find_connections

    connections = find_connections()
    assert [connection.conn_id for connection in connections] == ["a", "b"]
    assert connections[0].login == "my-client"
    assert "a-client-secret" not in repr(connections)
    assert find_connection("a") == connections[0]
    assert find_connection("other") is None


@pytest.mark.airflow
@pytest.mark.xdist_group("page")
@pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy")
def test_one_is_replaced_unless_it_was_changed_meanwhile(rows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models.crypto import get_fernet

    monkeypatch.setattr(stored, "get_fernet", get_fernet)
    before = stored.find_connection("a")
    assert before is not None
    values = replace(ConnectionValues.of(before), login="another", password="new-secret", description="D")
    assert stored.replace_connection(before, values)
    after = stored.find_connection("a")
    assert after is not None
    assert ConnectionValues.of(after) == values
    assert after.is_encrypted == get_fernet().is_encrypted
    assert not stored.replace_connection(before, replace(values, login="third")), "two people at once"
    assert stored.find_connection("a") == after
    assert stored.replace_connection(after, replace(values, password=None))
    emptied = stored.find_connection("a")
    assert emptied is not None
    assert (emptied.password, emptied.extra) == (None, values.extra)
    other = stored.find_connection("b")
    assert other is not None
    assert other.login == "my-client"
