"""Where connections may be saved; that nobody saves over somebody else."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import ConnectionValues, saving
from airflow_oauth_provider.authorizations.stored import find_connection
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from tests.support.migrated import migrate
from tests.support.service import Service

SECRET = "a-client-secret-that-nobody-sees"

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.xdist_group("page"),  # one database
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy"),
]


@pytest.fixture(scope="module")
def migrated() -> None:
    migrate()


@pytest.fixture
def database(migrated: None) -> Iterator[None]:
    """The metadata database; no connection stays there."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    yield
    with create_session(scoped=False) as session:
        session.execute(delete(Connection))


@pytest.fixture
def values(service: Service) -> ConnectionValues:
    return ConnectionValues.of(service.connection(conn_id="orders"))


def test_a_name_can_be_had_once(values: ConnectionValues, monkeypatch: pytest.MonkeyPatch) -> None:
    assert saving.checked_and_saved(values, saving.save_new) == ()
    with pytest.raises(ConfigurationError, match="exists already") as raised:
        saving.save_new(values)
    assert raised.value.field == "conn_id"
    monkeypatch.setenv("AIRFLOW_CONN_MINE", "http://")
    with pytest.raises(ConfigurationError, match="environment or a secrets backend"):
        saving.save_new(replace(values, conn_id="mine"))
    assert find_connection("mine") is None


def test_a_wrong_one_is_not_saved(values: ConnectionValues) -> None:
    with pytest.raises(ConfigurationError):
        saving.checked_and_saved(replace(values, host="ftp://x"), saving.save_new)
    assert find_connection("orders") is None


def test_one_that_was_changed_meanwhile(values: ConnectionValues) -> None:
    saving.save_new(values)
    stored = saving.editable("orders")
    saving.replace(stored, replace(values, login="first"))
    with pytest.raises(saving.ChangedMeanwhileError):
        saving.replace(stored, replace(values, login="second"))
    kept: Any = find_connection("orders")
    assert kept.login == "first"
    assert kept.digest(b"key") != stored.digest(b"key")


@pytest.mark.fault("F12", "F61")
def test_a_database_that_fails_repeats_nothing(
    values: ConnectionValues, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy's own errors repeat all that was to be written: in clear, where there is no Fernet key."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    values = replace(values, password=SECRET)
    saving.checked_and_saved(values, saving.save_new)
    stored = saving.editable("orders")
    saves: dict[str, Callable[[ConnectionValues], None]] = {
        "INSERT": saving.save_new,
        "UPDATE": partial(saving.replace, stored),
    }
    for kind, save in saves.items():
        with create_session(scoped=False) as session:
            trigger = (
                f"before_{kind}"  # of its own name: another connection may not have seen the last one go
            )
            body = "BEGIN DELETE FROM none; END"
            session.execute(text(f"CREATE TRIGGER {trigger} BEFORE {kind} ON connection {body}"))
        try:
            with pytest.raises(OAuthError, match=r"cannot be saved \(OperationalError\)") as raised:
                saving.checked_and_saved(replace(values, conn_id="other"), save)
        finally:
            with create_session(scoped=False) as session:
                session.execute(text(f"DROP TRIGGER {trigger}"))
        assert raised.value.__context__ is None
        shown = "".join(traceback.format_exception(raised.value)) + caplog.text
        assert SECRET not in shown
        assert "parameters:" not in shown


@pytest.mark.fault("H57")
@pytest.mark.parametrize(
    ("field", "text"),
    [
        pytest.param("description", "half \ud800", id="half a character"),
        pytest.param("description", "nul \0", id="NUL"),
        pytest.param("host", f"https://idp.example/{'x' * 500}", id="too long"),
    ],
)
def test_what_no_database_takes(values: ConnectionValues, field: str, text: str) -> None:
    """SQLite takes some of it, others would fail."""
    changes: Any = {field: text}
    with pytest.raises(ConfigurationError) as raised:
        saving.checked_and_saved(replace(values, **changes), saving.save_new)
    assert raised.value.field == field
    assert find_connection("orders") is None
