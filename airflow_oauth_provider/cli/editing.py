"""From a stored connection and the arguments of ``edit`` to the connection that takes its place.

A stored secret goes nowhere that nobody has chosen for it: where the edit changes who gets to see it, every
secret is to be given again, as Airflow's own *Test* demands of a changed host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_oauth_provider.authorizations import ConnectionValues
from airflow_oauth_provider.cli.arguments import fields_given, take_secret, variable
from airflow_oauth_provider.cli.creation import host_given, tenant_named
from airflow_oauth_provider.cli.key_file import add_key
from airflow_oauth_provider.connection.fields import FIELDS
from airflow_oauth_provider.connection.parsing import FieldError, parse_extra
from airflow_oauth_provider.connection.presets import Preset, filled_in, preset_named
from airflow_oauth_provider.connection.provider_form import default_extra
from airflow_oauth_provider.connection.tenant import with_tenant
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import DEFAULT_METHOD, METHODS, Method, Needs
from airflow_oauth_provider.protocol.urls import UrlError, parse_url, with_scheme

Extra = Mapping[str, Any]

_RECIPIENT = {
    "discovery": "token host",
    "auth_method": "authentication method",
    "proxy_url": "proxy",
    "ca_certificates": "CA",
    "verify_tls": "verification of TLS",
}
"""Fields that decide who gets to see a secret, and what a message calls them."""
_SECRETS = tuple(entry.key for entry in FIELDS if entry.secret and entry.key not in _RECIPIENT)
_ADDRESS = ("token_url", "discovery", "preset", "tenant")
_OTHERS = ("client_id", "secret_stdin", "secret_env", "key_file", "passphrase_env", "set", "set_env")


def edited(before: ConnectionValues, args: Any) -> ConnectionValues:
    """Put the connection together that takes the place of a stored one.

    :raises ConfigurationError: naming the argument or field at fault.
    """
    try:
        if args.description is None and not any(getattr(args, name) for name in (*_ADDRESS, *_OTHERS)):
            raise ConfigurationError("say what is to change: `airflow oauth2 edit --help` lists the options")
        return _edited(before, _stored(before), args)
    except ConfigurationError as error:
        raise error.for_connection(before.conn_id) from None


def _stored(before: ConnectionValues) -> dict[str, Any]:
    try:
        return parse_extra(before.extra)
    except FieldError as error:
        raise ConfigurationError(str(error), field="extra") from None


def _edited(before: ConnectionValues, stored: dict[str, Any], args: Any) -> ConnectionValues:
    preset = preset_named(args.preset) if args.preset else None
    given = _given(stored, preset, args)
    host = _host(before, stored, given, preset, args)
    method = _method(stored | given)
    password = take_secret(args, given, method) or None
    if given.get("private_key"):
        given.setdefault("private_key_passphrase", None)  # it belongs to its key
    if changes := list(dict.fromkeys(_changes(before, host, stored, given))):
        before = _without_unused(before, stored, given, method)
        _require_secrets(bool(before.password and not password), stored, given, changes)
    return replace(
        before,
        host=host,
        login=args.client_id or before.login,
        password=password or before.password,
        description=before.description if args.description is None else args.description,
        extra=json.dumps(default_extra() | stored | given),
    )


def _given(stored: Extra, preset: Preset | None, args: Any) -> dict[str, Any]:
    """Return the fields that the arguments fill in; what a preset asks for may be there already."""
    given = fields_given(args.set, args.set_env)
    if preset:
        given = filled_in(preset, {key: stored[key] for key in preset.asks if stored.get(key)} | given)
    add_key(args, given, variable)
    return given


def _host(
    before: ConnectionValues, stored: Extra, given: dict[str, Any], preset: Preset | None, args: Any
) -> str | None:
    if args.token_url or args.discovery or (preset and preset.host):
        given.setdefault("discovery", False)
        return host_given(args, given, preset, stored)
    if args.tenant:
        return tenant_named(before.host or "", args.tenant, given, stored)
    return before.host


def _method(extra: Extra) -> Method:
    return METHODS.get(str(extra.get("auth_method") or DEFAULT_METHOD), METHODS[DEFAULT_METHOD])


def _changes(
    before: ConnectionValues, host: str | None, stored: dict[str, Any], given: dict[str, Any]
) -> Iterator[str]:
    """Yield what the edit changes of those who get to see a secret."""
    if _origin(before.host, stored) != _origin(host, stored | given):
        yield "token host"
    defaults = default_extra()
    for key, name in _RECIPIENT.items():
        if key in given and (given[key] or None) != (stored.get(key, defaults[key]) or None):
            yield name


def _origin(host: str | None, extra: Extra) -> object:
    try:
        return parse_url(with_scheme(with_tenant(host or "", str(extra.get("tenant"))))).origin
    except UrlError:
        return host


def _without_unused(
    before: ConnectionValues, stored: Extra, given: dict[str, Any], method: Method
) -> ConnectionValues:
    """Leave out what the method has no use for: a secret beside a key, a key beside a secret."""
    extra = {**stored, **given}
    if method.needs is Needs.SECRET and not extra.get("dpop"):
        given.setdefault("private_key", None)
        given.setdefault("private_key_passphrase", None)
    return before if method.needs is Needs.SECRET else replace(before, password=None)


def _require_secrets(password: bool, stored: Extra, given: Extra, changes: list[str]) -> None:
    """Refuse an edit that would show a stored secret to someone else.

    :param password: the client secret is one.
    """
    missing = ["--secret-stdin or --secret-env"] if password else []
    for key in _SECRETS:
        if stored.get(key) and key not in given:
            by_file = "--key-file or " if key == "private_key" else ""
            missing.append(f"{by_file}--set-env {key}=VARIABLE")
    if missing:
        raise ConfigurationError(
            f"{' and '.join(changes)} changed, which decides who gets to see the secrets: give them again, "
            f"by {', '.join(missing)} (--set KEY= empties a field)"
        )
