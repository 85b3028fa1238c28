"""The pages of docs/servers: the part that comes from the presets and from what the commands make of them."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from typing import Any
from unittest import mock

from airflow_oauth_provider.cli.creation import connection_from
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.presets import Preset, presets
from airflow_oauth_provider.connection.provider_form import default_extra
from airflow_oauth_provider.connection.tenant import stands_in_host
from airflow_oauth_provider.protocol.client.methods import METHODS
from tests.connection.test_checks import pem
from tests.connection.vendors import KEY, ROWS, TENANT, Row

CLIENT_ID = "nightly-import"
_SECRET = "the client secret, as the server shows it"
_KEY = "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----"
# Keycloak names its token endpoint itself: what the page shows gives the issuer.
_ISSUERS = {"keycloak": "https://sso.example/realms/orders"}


def _address(preset: Preset, row: Row) -> tuple[str, str] | None:
    if preset.host:
        return None
    issuer = _ISSUERS.get(preset.name)
    return ("--discovery", issuer) if issuer else ("--token-url", row.token_url)


def _signs(preset: Preset) -> bool:
    return METHODS[preset.extra["auth_method"]].needs.secret_field == "private_key"


def _command(preset: Preset, row: Row) -> Iterator[str]:
    secret = "" if _signs(preset) else f"pass show {preset.name} | "
    parts = [f"--preset {preset.name}"]
    parts += [f"--tenant {TENANT}"] if preset.tenant else []
    parts += [" ".join(address)] if (address := _address(preset, row)) else []
    parts += [f"--client-id {CLIENT_ID}", "--key-file key.pem" if _signs(preset) else "--secret-stdin"]
    parts += [f"--set {key}={value}" for key, value in row.given.items()]
    lines = [f"{secret}airflow oauth2 create my_api"]
    for part in parts:
        if len(lines[-1]) + len(part) > 95:
            lines[-1] += " \\"
            lines.append(" ")
        lines[-1] += f" {part}"
    return iter(lines)


def connection_of(preset: Preset, row: Row) -> dict[str, Any]:
    """Return what the command saves, without the fields that have their defaults."""
    option, url = _address(preset, row) or (None, None)
    arguments = Namespace(
        conn_id="my_api",
        preset=preset.name,
        tenant=TENANT if preset.tenant else None,
        token_url=url if option == "--token-url" else None,
        discovery=url if option == "--discovery" else None,
        client_id=CLIENT_ID,
        secret_stdin=False,
        secret_env="GIVEN",
        key_file=None,
        passphrase_env=None,
        set=[f"{key}={value}" for key, value in row.given.items()],
        set_env=[],
        description=None,
    )
    with mock.patch.dict(os.environ, {"GIVEN": pem(KEY) if _signs(preset) else _SECRET}):
        values = connection_from(arguments)
    unset = default_extra()
    saved = json.loads(values.extra or "{}")
    extra = {key: value for key, value in saved.items() if unset.get(key) != value}
    if "private_key" in extra:
        extra["private_key"] = _KEY
    connection = {"conn_type": values.conn_type, "host": values.host, "login": values.login}
    return connection | ({"password": _SECRET} if values.password else {}) | {"extra": extra}


def _errors(preset: Preset) -> Iterator[tuple[str, str, str]]:
    if _signs(preset):
        yield (
            "`InvalidClientError`, `invalid_client`",
            "The server does not know the key, or not by this `kid`.",
            "Register the public half, and set `key_id` to the name that the server gave it.",
        )
    else:
        yield (
            "`InvalidClientError`, `invalid_client`",
            "Client ID or secret is wrong, was withdrawn, or has ended.",
            "Enter it again: `airflow oauth2 edit my_api --secret-stdin`.",
        )
    if "scope" in preset.asks or "scope" in preset.extra:
        yield (
            "`TokenEndpointError`, `invalid_scope`",
            "The scope does not exist, or the client may not have it.",
            "Compare spelling and case; have it granted at the server.",
        )
    if preset.tenant and preset.host and stands_in_host(preset.host):
        yield (
            "`TransportError`, or status 404",
            "No tenant has this name.",
            f"`--tenant` is {preset.tenant}.",
        )
    if not preset.host:
        yield (
            "`TokenResponseError`",
            "The address is a page for people, not the token endpoint.",
            "Compare the access token URL with the server's documentation.",
        )
    if "{instance_url}" in preset.extra.get("base_url", ""):
        yield (
            "`TokenResponseError` that names `allowed_origins`",
            "The token response names an API that the connection does not allow.",
            "If the address is yours, add it to `allowed_origins`.",
        )
    yield (
        "`ResourceError`, status 401",
        "The API refuses even a new token: it is meant for another API.",
        "Compare base URL and audience.",
    )
    yield (
        "`ResourceError`, status 403",
        "The client lacks a permission at the API.",
        "Grant it at the server, then `airflow oauth2 forget my_api`: a token keeps what it had.",
    )


def server_part(name: str) -> Iterator[str]:
    """Return the lines of a server's page that come from its preset."""
    preset, row = presets()[name], ROWS[name]
    yield "## Create the connection"
    yield ""
    if preset.notes:
        yield f"{preset.notes}"
        yield ""
    yield "```sh"
    yield from _command(preset, row)
    yield "```"
    yield ""
    yield "The same as JSON, for `AIRFLOW_CONN_MY_API` or a secrets backend:"
    yield ""
    yield "```json"
    yield json.dumps(connection_of(preset, row), indent=2, ensure_ascii=False)
    yield "```"
    yield ""
    yield "What the preset fills in:"
    yield ""
    yield "| field | value | meaning |"
    yield "|---|---|---|"
    for key, value in preset.extra.items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        yield f"| `{key}` | `{text}` | {FIELDS_BY_KEY[key].description} |"
    yield ""
    yield "## Usual errors"
    yield ""
    yield "| what you see | what it means here | what to do |"
    yield "|---|---|---|"
    for row_of_table in _errors(preset):
        yield f"| {' | '.join(row_of_table)} |"
    yield ""
    yield f"Facts from the [vendor's documentation]({preset.link}), {preset.checked}."
