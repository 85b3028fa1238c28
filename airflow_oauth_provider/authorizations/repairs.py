"""A connection whose wrong fields are put right one after the other, to see what else is wrong with it.

Nobody saves it and nobody asks a server with it: it lives as long as the search for errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.field_kinds import Kind
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import FieldError, parse_extra
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.client.methods import METHODS, Needs

_COLUMNS = ("conn_id", "host", "login", "password", "port", "schema")
_CREDENTIAL = frozenset(
    {
        *("auth_method", "external_credential", "custom_provider", "assertion_file", "assertion_kind"),
        *("private_key", "private_key_passphrase", "certificate", "jwt_algorithm"),
    }
)
"""Fields of the extra that say with what a client authenticates."""
_BY_KEY = next(name for name, method in METHODS.items() if method.needs is Needs.KEY)
_SECRET = "stand-in" * 8


class Repairs:
    """A connection with its repairs.

    :param values: of the connection as somebody has entered it.
    :param extra: its extra.

    ``values`` has what stands there now; ``repaired`` the fields that are no longer as they were entered.
    """

    def __init__(self, values: ConnectionValues, extra: dict[str, Any], policy: Policy) -> None:
        self._entered = values, extra
        self._policy = policy
        self._extra = dict(extra)
        self._steps: dict[str, Iterator[None]] = {}
        self.values = values
        self.repaired: set[str] = set()

    @classmethod
    def of(cls, values: ConnectionValues, policy: Policy) -> Repairs | None:
        """Begin; ``None`` where the extra cannot be read."""
        try:
            return cls(values, parse_extra(values.extra), policy)
        except FieldError:
            return None

    def repair(self, field: str) -> bool:
        """Put a field right: by its next value, where the last one was no better.

        :return: whether there was one left; a name that is no field's needs none.
        """
        self.repaired.add(field)
        for _ in self._steps.setdefault(field, self._steps_of(field)):
            self.values = replace(self.values, extra=json.dumps(self._extra))
            return True
        return False

    def entered(self, field: str) -> Any:
        """Return what somebody has entered in a field."""
        values, extra = self._entered
        return getattr(values, field) if field in _COLUMNS else extra.get(field)

    def alone(self, field: str) -> ConnectionValues | None:
        """Return a connection that has nothing but this field from the one that was entered.

        What may lead the field is such that it can be right.

        :return: ``None`` where nothing is entered that could be wrong.
        """
        columns: dict[str, Any] = self._stand_ins("alone.example")
        own = {key: value for key, value in self._good().items() if key != field}
        if field in {"private_key", "private_key_passphrase", "certificate"}:
            columns["password"] = None
            own |= {"auth_method": _BY_KEY, "private_key": _any_key()}
        given = self.entered(field)
        if given in (None, "") and field not in {"host", "login"}:
            return None
        (columns if field in _COLUMNS else own)[field] = given
        return ConnectionValues(conn_type=self.values.conn_type, extra=json.dumps(own), **columns)

    def _stand_ins(self, host: str) -> dict[str, Any]:
        host = _listed(self._policy.token_hosts, host)
        return {
            "conn_id": "stand-in",
            "host": f"https://{host}/token",
            "login": "stand-in",
            "password": _SECRET,
        }

    def _good(self) -> dict[str, Any]:
        origin = f"https://{_listed(self._policy.api_hosts, 'api.example')}"
        return {"tenant": "stand-in", "base_url": "{instance_url}", "allowed_origins": [origin]}

    def _steps_of(self, field: str) -> Iterator[None]:
        """Put one value after the other in the field's place."""
        if field in _COLUMNS:
            yield from self._columns(field)
        else:
            self._extra.pop(field, None)
            yield
            if field in FIELDS_BY_KEY and FIELDS_BY_KEY[field].kind is Kind.BOOLEAN:
                self._extra[field] = not FIELDS_BY_KEY[field].default
                yield
        if field in {"auth_method", "private_key"}:
            self._use_key()
            yield
        if field in _CREDENTIAL or field in {"login", "password"}:
            self._use_secret()
            yield

    def _columns(self, field: str) -> Iterator[None]:
        good = self._stand_ins("idp.example").get(field)
        for value in (None, good) if field == "password" else (good,):
            changes: dict[str, Any] = {field: value}
            self.values = replace(self.values, **changes)
            yield

    def _use_key(self) -> None:
        """Authenticate with a key of no particular kind."""
        self._take_out({"private_key_passphrase", "certificate", "external_credential"})
        self._put({"auth_method": _BY_KEY, "private_key": _any_key()})
        self.values = replace(self.values, password=None)
        self.repaired.add("password")

    def _use_secret(self) -> None:
        """Authenticate in the simplest way, whatever was entered."""
        self._take_out(_CREDENTIAL)
        good = self._stand_ins("idp.example")
        self.values = replace(self.values, login=good["login"], password=good["password"])
        self.repaired |= {"login", "password"}

    def _take_out(self, fields: set[str] | frozenset[str]) -> None:
        for field in fields:
            self._extra.pop(field, None)
        self.repaired |= fields

    def _put(self, fields: dict[str, Any]) -> None:
        self._extra |= fields
        self.repaired |= fields.keys()


def _listed(patterns: tuple[str, ...], otherwise: str) -> str:
    """Return a host that an allow-list has."""
    return patterns[0].replace("*", "stand-in") if patterns else otherwise


@cache
def _any_key() -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
