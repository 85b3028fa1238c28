"""What the arguments of ``create`` and ``edit`` say of a connection; no secret is taken from them."""

from __future__ import annotations

import getpass
import os
import re
import sys
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from airflow_oauth_provider.authorizations.entered_values import PAIRS, stored_value
from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError
from airflow_oauth_provider.client.masking import hides_value_of
from airflow_oauth_provider.connection.field_kinds import Field
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import FieldError, holds_private_key, parse_claims
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.algorithms import one_of
from airflow_oauth_provider.protocol.client.methods import METHODS, Method, Needs

_BY_KEY = one_of(
    tuple(
        f"--set auth_method={method.name}"
        for method in METHODS.values()
        if method.needs.secret_field == "private_key"
    )
)
_OPTIONS = {
    **dict.fromkeys(("host", "token_url", "issuer"), "--token-url or --discovery"),
    **dict.fromkeys(("login", "client_id"), "--client-id"),
    **dict.fromkeys(("password", "secret", "client_secret"), "--secret-stdin or --secret-env"),
    "description": "--description",
}
"""Options of their own for what stands in no field of the extra."""
_ADDRESSES = {
    "token_url": "--token-url",
    "discovery": "--discovery",
    "issuer": "ISSUER_OR_API",
    "endpoint": "--endpoint",
}
_USERINFO = re.compile(r"//[^/?#\s]*@")
_FIELD_OPTIONS = {"conn_id": "NAME", "preset": "--preset", "tenant": "--tenant"}
"""Options for what a person enters on the page."""


def fields_given(plain: list[str], from_environment: list[str], faults: Faults) -> dict[str, Any]:
    """Return the fields of ``--set`` and ``--set-env``, as Airflow's form would store them.

    :param faults: takes all that is wrong with them, by option or field.
    """
    texts: dict[str, list[str]] = {}
    for text in plain:
        with faults.gathered(*_meant(text)):
            entry, value = _plain_assignment(text)
            texts.setdefault(entry.key, []).append(value)
    for text in from_environment:
        with faults.gathered(*_meant(text)):
            entry, name = _assignment("--set-env", text)
            value = variable("--set-env", name)
            texts.setdefault(entry.key, []).append(value)
    given = {}
    for key, values in texts.items():
        with faults.gathered(key):
            given[key] = stored_value(FIELDS_BY_KEY[key], values)
    return given


def _meant(text: str) -> list[str]:
    """Return the fields that an assignment may be meant for; the method, with all that it leads, for none."""
    key = text.partition("=")[0].strip()
    return [key] if key in FIELDS_BY_KEY else get_close_matches(key.lower(), FIELDS_BY_KEY) or ["auth_method"]


def require_no_secret(args: Any) -> None:
    """Refuse secrets among the arguments of a command before Airflow writes them to its audit log.

    What stands behind a key that is none may be a secret, too.

    :raises ConfigurationError: naming the option or field at fault.
    """
    conn_id = getattr(args, "conn_id", None)
    try:
        for text in getattr(args, "set", []):
            _plain_assignment(text)
        for name, option in _ADDRESSES.items():
            if _USERINFO.search(f"//{getattr(args, name, None) or ''}"):
                raise ConfigurationError(
                    "must not contain a user name or password before the host", field=option
                )
            if _hidden_in_query(getattr(args, name, None) or ""):
                raise ConfigurationError(
                    "has a secret in its query, and arguments can be seen by others: leave it out",
                    field=option,
                )
    except ConfigurationError as error:
        refused = error.for_connection(conn_id) if conn_id else error
    else:
        return
    raise refused


def _plain_assignment(text: str) -> tuple[Field, str]:
    entry, value = _assignment("--set", text)
    if entry.secret and value:  # to empty one is no secret
        raise ConfigurationError(
            f"is secret, and arguments can be seen by others: use --set-env {entry.key}=VARIABLE",
            field=entry.key,
        )
    _require_no_secret(entry, value)
    return entry, value


def _assignment(option: str, text: str) -> tuple[Field, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise ConfigurationError("must be KEY=VALUE", field=option)
    entry = FIELDS_BY_KEY.get(key.strip())
    if entry is None:
        raise ConfigurationError(_unknown(key.strip()), field=option)
    return entry, value


def _require_no_secret(entry: Field, value: str) -> None:
    """Refuse what Airflow's pages would hide: besides other people its audit log sees arguments, too.

    :raises ConfigurationError: then.
    """
    names: list[str] = []
    if entry.kind in PAIRS:
        with suppress(FieldError):
            names = [str(name) for name, content in parse_claims(value).items() if content]
    hidden = any(map(hides_value_of, names)) or _hidden_in_query(value)
    if hidden or holds_private_key(value) or _USERINFO.search(value):
        raise ConfigurationError(
            f"holds a secret, and arguments can be seen by others: use --set-env {entry.key}=VARIABLE, or a "
            "field for secrets",
            field=entry.key,
        )


def _hidden_in_query(address: str) -> bool:
    """Whether an address carries what Airflow's pages would hide."""
    if "://" not in address and not address.startswith("/"):
        address = f"//{address}"
    try:
        query = urlsplit(address).query
    except ValueError:  # no address
        return False
    return any(value and hides_value_of(name) for name, value in parse_qsl(query))


def _unknown(key: str) -> str:
    """Say which key may be meant; one that resembles none may be a misplaced secret, and is not repeated."""
    if option := _OPTIONS.get(key.lower().replace("-", "_")):
        return f"is not for {key.lower()}: use {option}"
    similar = get_close_matches(key.lower(), FIELDS_BY_KEY)
    if not similar:
        return "does not know this key: docs/connection-fields.md lists the keys of the connection's fields"
    return f"does not know the key {key}: did you mean {' or '.join(similar)}?"


def variable(option: str, name: str) -> str:
    """Return what an environment variable holds.

    :raises ConfigurationError: naming the option, when it holds nothing.
    """
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError("names an environment variable that is not set, or empty", field=option)
    return value


def with_options(error: WrongFieldsError) -> WrongFieldsError:
    """Return an error of what page and commands share with the options that are at fault here."""
    wrong = {_FIELD_OPTIONS.get(key, key): text for key, text in error.wrong.items()}
    return WrongFieldsError.of(wrong, error.conn_id or "")


def take_secret(args: Any, given: dict[str, Any], faults: Faults, method: Method) -> str | None:
    """Return the client secret; a private key is put among the fields.

    :param given: fields of the connection.
    :param faults: takes what is wrong, by option; while something is, nobody is asked for a secret.
    """
    with faults.gathered("password", "private_key"):
        if args.key_file and not faults.concern("auth_method"):
            _require_use_for_key(args, method)
        if args.secret_stdin and not args.secret_env and sys.stdin.isatty() and faults.by_field:
            faults.unknown |= {"password", "private_key"}
            return None
        secret = _secret(args)
        if secret is None or method.needs.secret_field != "private_key":
            return secret
        if "private_key" in given:
            raise ConfigurationError(
                "or --secret-env gives the private key a second time: leave it out", field="--secret-stdin"
            )
        given["private_key"] = secret
    return None


def _require_use_for_key(args: Any, method: Method) -> None:
    if method.needs is Needs.SECRET and not (args.secret_stdin or args.secret_env):
        raise ConfigurationError(f"needs a method that takes a key: {_BY_KEY}", field="--key-file")


def require_secret() -> NoReturn:
    """Say how to give a secret.

    :raises ConfigurationError: always.
    """
    raise ConfigurationError(
        "or --secret-env (for a private key: --key-file) is needed: a secret is not taken from the "
        "arguments, which others can see",
        field="--secret-stdin",
    )


def _secret(args: Any) -> str | None:
    if args.secret_stdin and args.secret_env:
        raise ConfigurationError("cannot be given together with --secret-env", field="--secret-stdin")
    if args.secret_env:
        return variable("--secret-env", args.secret_env)
    if not args.secret_stdin:
        return None
    secret = _read_secret()
    if not secret:
        raise ConfigurationError("read nothing from standard input", field="--secret-stdin")
    return secret


def _read_secret() -> str:
    """Read standard input whole, without the line break that ``echo`` adds; from a terminal, hidden."""
    if sys.stdin.isatty():
        return getpass.getpass("Client secret: ")
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
