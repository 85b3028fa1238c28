"""Connections as the columns of the metadata database hold them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.service import Service

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.xdist_group("page"),  # one database
    pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy"),  # Airflow 3.1's models
]


@pytest.fixture
def stored(service: Service) -> Iterator[None]:
    """Two connections of ours, and one of another type."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], capture_output=True, check=True)
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


def test_those_of_our_type_by_name_with_their_secrets_decrypted(stored: None) -> None:
    from airflow_oauth_provider.authorizations.stored import find_connection, find_connections

    found = find_connections()
    assert [connection.conn_id for connection in found] == ["a", "b"]
    assert found[0].password == "a-client-secret"
    assert "a-client-secret" not in repr(found)
    assert find_connection("a") == found[0]
    assert find_connection("other") is None
