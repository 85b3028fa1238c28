"""The connections of the metadata database, as its columns hold them; for the page and the commands.

Imported by neither tasks nor triggers, which have no access to the database.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow.models.connection import Connection
from airflow.models.crypto import get_fernet
from airflow.utils.session import create_session
from sqlalchemy import null, select, update

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE

# The table's columns: to ask for those of the model would make SQLAlchemy set up all models of Airflow.
_column = Connection.__table__.c


@dataclass(frozen=True)
class StoredConnection:
    """A connection of the metadata database, its secrets decrypted when they are read.

    Airflow's own model registers every password it loads with the secrets masker, used or not, and the
    masker's pattern grows with each: a list of 500 would take seconds and slow down all logging.
    """

    conn_id: str
    conn_type: str
    description: str | None
    host: str | None
    schema: str | None
    login: str | None
    port: int | None
    team_name: str | None
    stored_password: str | None = field(repr=False)
    stored_extra: str | None = field(repr=False)
    is_encrypted: bool
    is_extra_encrypted: bool

    def digest(self, key: bytes) -> str:
        """Return what changes when anything of the connection does, and tells nothing of it.

        :param key: keeps people from guessing a secret by it, where the database holds secrets in clear.
        """
        values = [str(getattr(self, name)) for name in self.__dataclass_fields__]
        text = json.dumps(values).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=hashlib.sha256(key).digest(), digest_size=20).hexdigest()

    @cached_property
    def password(self) -> str | None:
        """The client secret."""
        return _decrypted(self.stored_password, encrypted=self.is_encrypted)

    @cached_property
    def extra(self) -> str | None:
        """The extra's JSON."""
        return _decrypted(self.stored_extra, encrypted=self.is_extra_encrypted)


def _decrypted(stored: str | None, *, encrypted: bool) -> str | None:
    return get_fernet().decrypt(stored.encode()).decode() if stored and encrypted else stored


def find_connections() -> list[StoredConnection]:
    """Return the stored connections of our type, by name."""
    with create_session(scoped=False) as session:
        return [StoredConnection(*row) for row in session.execute(_connections().order_by(_column.conn_id))]


def find_connection(conn_id: str) -> StoredConnection | None:
    """Return one stored connection of our type."""
    with create_session(scoped=False) as session:
        row = session.execute(_connections().where(_column.conn_id == conn_id)).first()
    return StoredConnection(*row) if row else None


def replace_connection(before: StoredConnection, values: ConnectionValues) -> bool:
    """Save what takes the place of a stored connection.

    :return: false when somebody has changed or deleted it since it was read; then nothing is saved.
    """
    same = (
        _column[name].is_not_distinct_from(value)
        for name, value in (
            *((name, getattr(before, name)) for name in ("conn_type", "description", "host", "login")),
            ("password", before.stored_password),
            ("extra", before.stored_extra),
        )
    )
    password, is_encrypted = _encrypted(values.password)
    extra, is_extra_encrypted = _encrypted(values.extra)
    statement = (
        update(Connection.__table__)
        .where(_column.conn_id == before.conn_id, *same)
        .values(
            description=values.description,
            host=values.host,
            login=values.login,
            password=password,
            extra=extra,
            is_encrypted=is_encrypted,
            is_extra_encrypted=is_extra_encrypted,
        )
    )
    with create_session(scoped=False) as session:
        return bool(session.execute(statement).rowcount)


def _encrypted(text: str | None) -> tuple[str | None, bool]:
    """Return a text as Airflow stores it, and whether it is encrypted."""
    if not text:
        return None, False
    fernet = get_fernet()
    return fernet.encrypt(text.encode()).decode(), bool(fernet.is_encrypted)


def _connections() -> Any:
    # Before Airflow 3.2 a connection knows its team by number only, and no team matters yet.
    return select(
        _column.conn_id,
        _column.conn_type,
        _column.description,
        _column.host,
        _column.schema,
        _column.login,
        _column.port,
        _column.team_name if "team_name" in _column else null(),
        _column.password,
        _column.extra,
        _column.is_encrypted,
        _column.is_extra_encrypted,
    ).where(_column.conn_type == CONNECTION_TYPE)
