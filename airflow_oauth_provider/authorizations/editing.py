"""What a new connection and an edited one hold: decided here once, for page and commands.

A stored secret goes nowhere that nobody has chosen for it: where an edit changes who gets to see it, every
secret is to be given again, as Airflow's own *Test* demands of a changed host.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.client.masking import hides_value_of
from airflow_oauth_provider.connection.field_kinds import Kind
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE, FIELDS, FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import FieldError, parse, parse_claims, parse_extra
from airflow_oauth_provider.connection.provider_form import default_extra
from airflow_oauth_provider.connection.resolving import MAX_NAME
from airflow_oauth_provider.connection.tenant import with_tenant
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import DEFAULT_METHOD, METHODS, Method, Needs
from airflow_oauth_provider.protocol.urls import Origin, Url, UrlError, parse_url, with_scheme

Extra = Mapping[str, Any]

_RECIPIENT = {
    "discovery": "token host",
    "auth_method": "authentication method",
    "custom_provider": "custom provider",
    "proxy_url": "proxy",
    "ca_certificates": "CA",
    "verify_tls": "verification of TLS",
}
"""Fields that decide who gets to see a secret, and what a message calls them."""
_SECRETS = tuple(entry.key for entry in FIELDS if entry.secret and entry.key not in _RECIPIENT)
_PARAMETERS = tuple(entry.key for entry in FIELDS if entry.kind is Kind.PAIRS and entry.section != "API")
"""Fields that go to the token host and may hold what Airflow hides by its name, such as an ``api_key``."""
_API_PARAMETERS = ("api_headers",)
"""Those that go to the API."""
_API_ADDRESSES = ("base_url", "allowed_origins")


class SecretsRequiredError(ConfigurationError):
    """An edit would show stored secrets to someone else.

    :param changes: what it changes of those who get to see them, in words.
    :param missing: fields whose secrets have to be given again.
    """

    changes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, changes: tuple[str, ...], missing: tuple[str, ...]) -> SecretsRequiredError:
        """Build it; a copy is built from its message alone."""
        reason = "changed, which decides who gets to see the secrets: give them again"
        error = cls(f"{' and '.join(changes)} {reason}", field=missing[0])
        error.changes, error.missing = changes, missing
        return error


@dataclass(frozen=True)
class Entered:
    """What a person has entered; ``None`` for what stays as it is.

    :param host: access token URL or issuer.
    :param password: the client secret; "" removes it.
    :param fields: of the extra, as Airflow's form stores them.
    :param restored: those of them in which stored values stand that the person has not seen.
    """

    host: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    description: str | None = None
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    restored: frozenset[str] = frozenset()


def require_name(name: str) -> str:
    """Return a name that a new connection may have.

    :raises ConfigurationError: for any other.
    """
    from airflow.models.connection import sanitize_conn_id

    reason = None
    if not name:
        reason = "a connection needs a name"
    elif len(name) > MAX_NAME:
        reason = f"a connection's name has at most {MAX_NAME} characters"
    elif name in {".", ".."}:
        reason = "browsers take this name for a folder: no page could open it"
    elif sanitize_conn_id(name) != name:
        reason = "a connection's name has letters, digits and # ! ( ) . : / \\ _ - only"
    if reason is not None:
        raise ConfigurationError(reason, field="conn_id")
    return name


def method_in(extra: Extra) -> Method:
    """Return the authentication method that a connection's fields name; the default one for nonsense."""
    return METHODS.get(str(extra.get("auth_method") or DEFAULT_METHOD), METHODS[DEFAULT_METHOD])


def new_connection(conn_id: str, entered: Entered) -> ConnectionValues:
    """Put a new connection together, with all its fields: Airflow's form hides those that are missing."""
    return ConnectionValues(
        conn_id,
        conn_type=CONNECTION_TYPE,
        description=entered.description,
        host=entered.host,
        login=entered.login,
        password=entered.password or None,
        extra=json.dumps(default_extra() | entered.fields),
    )


def stored_fields(before: ConnectionValues) -> dict[str, Any]:
    """Return the fields of a stored connection's extra.

    :raises ConfigurationError: when there is no telling them.
    """
    try:
        return parse_extra(before.extra)
    except FieldError as error:
        reason = str(error)
    raise ConfigurationError(reason, field="extra", conn_id=before.conn_id)


@dataclass(frozen=True)
class Edit:
    """What comes of an edit.

    :param values: of the connection that takes the place of the stored one, but for secrets that are missing.
    :param required: set when it would show a stored secret to someone else; then it may not be saved.
    """

    values: ConnectionValues
    required: SecretsRequiredError | None = None


def edited_connection(before: ConnectionValues, entered: Entered) -> ConnectionValues:
    """Put the connection together that takes the place of a stored one.

    :raises SecretsRequiredError: when it would show a stored secret to someone else.
    """
    edit = edit_of(before, entered)
    if edit.required is not None:
        raise edit.required
    return edit.values


def edit_of(before: ConnectionValues, entered: Entered) -> Edit:
    """Put the connection together that would take the place of a stored one."""
    stored, given = stored_fields(before), dict(entered.fields)
    host = before.host if entered.host is None else entered.host
    password = entered.password
    if given.get("private_key"):
        given.setdefault("private_key_passphrase", None)  # it belongs to its key
    changes = tuple(dict.fromkeys(_changes(before, host, stored, given)))
    missing: list[str] = []
    if changes:
        before = _without_unused(before, stored, given)
        missing = ["password"] if before.password and password is None else []
        missing += _not_given_again(stored, given, entered.restored)
    elsewhere = _changed(_API_ADDRESSES, stored, given) or _calls_another_tenant(stored, {**stored, **given})
    hidden = list(_hidden_again(_API_PARAMETERS, stored, given, entered.restored)) if elsewhere else []
    if "password" in missing:
        password = ""
    given |= dict.fromkeys((key for key in (*missing, *hidden) if key != "password"), None)
    values = replace(
        before,
        host=host,
        login=before.login if entered.login is None else entered.login,
        password=before.password if password is None else password or None,
        description=before.description if entered.description is None else entered.description,
        extra=json.dumps(default_extra() | stored | given),
    )
    if not missing and not hidden:
        return Edit(values)
    changes += ("address of the API",) if hidden else ()
    return Edit(values, SecretsRequiredError.of(changes, (*missing, *hidden)))


def _changes(before: ConnectionValues, host: str | None, stored: Extra, given: Extra) -> Iterator[str]:
    """Yield what the edit changes of those who get to see a secret."""
    extra = {**stored, **given}
    was, now = _addresses(before.host, stored), _addresses(host, extra)
    if not _origins(now) <= _origins(was):
        yield "token host"
    elif not now <= was and extra.get("discovery"):  # other metadata may name another host
        yield "issuer"
    for key, name in _RECIPIENT.items():
        if _changed((key,), stored, given):
            yield name


def _changed(keys: Iterable[str], stored: Extra, given: Extra) -> bool:
    defaults = default_extra()
    return any(
        key in given and (given[key] or None) != (stored.get(key, defaults[key]) or None) for key in keys
    )


def _addresses(text: str | None, extra: Extra) -> frozenset[Url | str | None]:
    """Return what an address stands for: it may have the name of one of several tenants."""
    try:
        others = parse(FIELDS_BY_KEY["tenants"], extra.get("tenants")) or ()
    except FieldError:
        others = ()
    return frozenset(_address(text, str(name)) for name in (extra.get("tenant"), *others))


def _address(text: str | None, tenant: str) -> Url | str | None:
    try:
        return parse_url(with_scheme(with_tenant(text or "", tenant)))
    except UrlError:
        return text


def _origins(addresses: frozenset[Url | str | None]) -> frozenset[Origin | str | None]:
    return frozenset(address.origin if isinstance(address, Url) else address for address in addresses)


def _calls_another_tenant(was: Extra, now: Extra) -> bool:
    """Whether ``base_url`` stands for a host that it did not stand for, as it is written."""
    before, after = (_addresses(str(extra.get("base_url") or ""), extra) for extra in (was, now))
    return not _origins(after) <= _origins(before)


def _without_unused(before: ConnectionValues, stored: Extra, given: dict[str, Any]) -> ConnectionValues:
    """Leave out what the method has no use for: a secret beside a key, a key beside a secret."""
    extra = {**stored, **given}
    method = method_in(extra)
    if method.function is None:  # a custom provider may use all
        return before
    needs_secret = method.needs is Needs.SECRET
    if needs_secret and not extra.get("dpop"):
        given.setdefault("private_key", None)
        given.setdefault("private_key_passphrase", None)
    return before if needs_secret else replace(before, password=None)


def _not_given_again(stored: Extra, given: Extra, restored: frozenset[str]) -> Iterator[str]:
    """Yield the fields with secrets that are stored and that nobody has entered again."""
    for key in _SECRETS:
        if stored.get(key) and key not in given:
            yield key
    yield from _hidden_again(_PARAMETERS, stored, given, restored)


def _hidden_again(
    keys: Iterable[str], stored: Extra, given: Extra, restored: frozenset[str]
) -> Iterator[str]:
    """Yield those fields in which values stand that are hidden, and that nobody has entered again."""
    for key in keys:
        if key in restored or (key not in given and _holds_hidden(stored.get(key))):
            yield key


def _holds_hidden(value: Any) -> bool:
    try:
        return any(hides_value_of(str(name)) for name in parse_claims(value))
    except FieldError:
        return True  # nobody knows what it holds
