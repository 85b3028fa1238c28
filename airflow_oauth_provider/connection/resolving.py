"""From an Airflow Connection to checked :class:`ClientSettings`, before any network use.

Every error names the connection and the field, and never a value.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from airflow_oauth_provider.connection import authentication, checks, setting_groups, unusual_servers
from airflow_oauth_provider.connection.assertion_file import assertion_file
from airflow_oauth_provider.connection.client_secret import client_secret
from airflow_oauth_provider.connection.external import External, external_credential, field_of
from airflow_oauth_provider.connection.extra import CONTROL, Extra
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE, FIELDS_BY_KEY
from airflow_oauth_provider.connection.hosts import require_host
from airflow_oauth_provider.connection.parsing import (
    FieldError,
    holds_private_key,
    require_characters,
)
from airflow_oauth_provider.connection.profile import bad_profile
from airflow_oauth_provider.connection.tenant import PLACEHOLDER, stands_in_host
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol import settings as s
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.client.methods import METHODS
from airflow_oauth_provider.protocol.configured_server import METADATA_PATHS, Issuer, TokenEndpoint
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import UrlError

MAX_NAME = 50
MAX_CLIENT_ID = 1024

# Where a secret would be stored and shown in clear, and the field that is masked instead.
_MISPLACED = {
    "jwk": "private_key",
    "jwks": "private_key",
    "signing_key": "private_key",
    "client_key": "private_key",
    "pem": "private_key",
    "client_secret": "password",
    "client_id": "login",
    "token_url": "host",
    "client_assertion": "private_key",
}


@dataclass(frozen=True)
class Resolved:
    """Settings, and what deserves a warning about the connection they come from.

    :param external: what does not come from the connection itself, and may change without it.
    """

    settings: s.ClientSettings
    warnings: tuple[str, ...]
    external: External | None = None

    def is_current(self) -> bool:
        """Whether a connection that is as it was leads to the same settings again."""
        certificate = authentication.required_certificate(self.settings)
        if certificate is not None and time.time() > certificate.expires_at:
            return False  # in a process that lives on
        return self.external is None or self.external.is_current()


def resolve(connection: Any, policy: Policy, *, thorough: bool = True, tenant: str | None = None) -> Resolved:
    """Check a connection and turn it into settings.

    :param connection: an Airflow connection, of the Task SDK or of the database model.
    :param thorough: false leaves out the one check that takes long, where settings are only shown.
    :param tenant: instead of the connection's; it must stand in ``tenants``.
    :raises ConfigurationError: naming connection and field.
    """
    conn_id = str(connection.conn_id)
    try:
        require_type(connection)
        return _Resolver(connection, policy, tenant).resolve(thorough=thorough)
    except ConfigurationError as caught:
        error = caught
    except Exception as caught:  # one odd connection must not take down a list of all
        error = ConfigurationError(f"the connection cannot be read ({type(caught).__name__})")
    # A copy, raised here: the frames and the errors below hold what stands in the connection.
    del connection  # its repr, which tools show with a traceback, has the password
    raise error.for_connection(conn_id)


def require_type(connection: Any) -> None:
    """Refuse a connection of another type: its login and password are not meant for a token endpoint.

    :raises ConfigurationError: naming the connection.
    """
    kind = getattr(connection, "conn_type", None)
    if kind != CONNECTION_TYPE:
        text = checks.printable(str(kind or "")) or "none"
        raise ConfigurationError(
            f"must be {CONNECTION_TYPE}, and is {text}: name a connection of that type",
            field="conn_type",
            conn_id=str(connection.conn_id),
        )


class _Resolver:
    def __init__(self, connection: Any, policy: Policy, tenant: str | None) -> None:
        self.connection = connection
        self.conn_id = str(connection.conn_id)
        self.policy = policy
        self.extra = Extra(self.conn_id, connection.extra)
        self.extra.choose_tenant(tenant)

    def resolve(self, *, thorough: bool) -> Resolved:
        self._check_names()
        self._check_private_keys()
        self._check_texts()
        external = external_credential(self.extra, self.connection, self.policy)
        if external is not None:
            self.policy = external.policy
        server = self._server()
        token_url = server.url
        method = self.extra.value("auth_method")
        assertion = setting_groups.assertion_settings(self.extra)
        settings = s.ClientSettings(
            server=server,
            client_id=self._client_id(),
            auth_method=method,
            client_secret=self._password(),
            request=setting_groups.request_settings(self.extra, token_url),
            response=unusual_servers.response_settings(self.extra),
            retry=s.RetrySettings(self.extra.value("max_retry_attempts"), self.extra.value("max_wait")),
            assertion=assertion,
            proof=setting_groups.proof_settings(self.extra, assertion, METHODS[method]),
            api=setting_groups.api_settings(self.extra, self.policy),
            network=setting_groups.network_settings(self.extra, self.policy, token_url),
            assertion_file=assertion_file(self.extra, self.policy, server, METHODS[method]),
            custom=setting_groups.custom_provider(self.extra, self.policy, METHODS[method]),
            profile=self.extra.value("profile"),
            category=self.extra.value("category") or self.policy.default_category,
            credential_expires_at=_midnight(self.extra.value("credential_expires_on")),
            team=getattr(self.connection, "team_name", None),
        )
        if external is not None:
            settings = external.fill_in(settings, self.extra)
        for field, message in authentication.bad_authentication(settings, self.policy):
            self.extra.fail(field_of(field, settings), message)
        for field, message in unusual_servers.bad_combinations(settings):
            self.extra.fail(field, message)
        for field, message in bad_profile(settings):
            self.extra.fail(field, message)
        self.extra.warnings += unusual_servers.ignored(settings)
        given, settings = settings, authentication.without_unused(settings)
        self.extra.warnings += [
            f"{field} is ignored: auth_method {method} uses none"
            for field in authentication.ignored_fields(given, settings)
        ]
        try:
            settings = authentication.with_algorithm(settings, thorough=thorough)
            settings = authentication.with_proof_key(settings, thorough=thorough)
            settings = authentication.with_certificate(settings, now=time.time(), thorough=thorough)
        except KeyMaterialError as error:
            self.extra.fail(field_of(error.field, settings), str(error))
        self.extra.check_tenant_is_used()
        return Resolved(settings, tuple(self.extra.warnings), external)

    def _check_private_keys(self) -> None:
        """Refuse a key where everybody sees it: pasted together with a certificate, as a rule."""
        for key, value in self.extra.content.items():
            entry = FIELDS_BY_KEY.get(key)
            if (entry is None or not entry.secret) and holds_private_key(value):
                self.extra.fail(
                    checks.printable(str(key)),
                    "holds a private key, and this field is not masked: put the key into private_key; since "
                    "it may have been seen here, better a new one",
                )

    def _check_names(self) -> None:
        for key in self.extra.content:
            if key in _MISPLACED:
                self.extra.fail(key, f'has no place in the extra: use the field "{_MISPLACED[key]}"')
            if key not in FIELDS_BY_KEY:
                self.extra.warnings.append(
                    f'unknown extra field "{checks.printable(str(key))}" is ignored: check its spelling'
                )
        if len(self.conn_id) > MAX_NAME:
            self.extra.warnings.append(f"the connection's name is longer than {MAX_NAME} characters")

    def _check_texts(self) -> None:
        for name in ("conn_id", "host", "schema", "login", "password"):
            try:
                require_characters(getattr(self.connection, name))
            except FieldError as error:
                self.extra.fail(name, str(error))

    def _server(self) -> TokenEndpoint | Issuer:
        named = "issuer" if self.extra.value("discovery") else "access token URL"
        try:
            given = checks.token_url_text(self.connection)
            text = self._with_tenant(given)
            url = checks.parse_address(text, query_allowed=named != "issuer")
        except checks.PortError as error:
            self.extra.fail("port", str(error))
        except UrlError as error:
            self.extra.fail("host", f"the {named} {error}")
        if any(path in url.path for path in METADATA_PATHS):
            self.extra.fail(
                "host",
                f"the {named} is that of the server's metadata: enter the issuer (the metadata has it, as "
                "issuer) and switch discovery on",
            )
        require_host(self.extra, "host", url, self.policy.token_hosts, self.policy.token_hosts_in)
        if named == "issuer":
            return Issuer(url, text, self.policy.token_hosts)
        return TokenEndpoint(url)

    def _with_tenant(self, address: str) -> str:
        if stands_in_host(address) and not self.policy.token_hosts:
            self.extra.fail(
                "host",
                f"has {PLACEHOLDER} in its host, for which [oauth2] allowed_token_hosts must list the token "
                "hosts: set it, or write the tenant's name there",
            )
        return str(self.extra.url_with_tenant("host", address))

    def _client_id(self) -> str:
        client_id = self.connection.login
        if not client_id:
            self.extra.fail("login", "the client ID is missing")
        if CONTROL.search(client_id):
            self.extra.fail("login", "the client ID contains control characters")
        if len(client_id.encode(errors="replace")) > MAX_CLIENT_ID:
            self.extra.fail("login", "the client ID is longer than 1 KiB")
        if odd := checks.odd_ends(client_id):
            self.extra.warnings.append(f"the client ID {odd}: is that meant?")
        return str(client_id)

    def _password(self) -> Secret | None:
        value = self.connection.password
        return client_secret(self.extra, "password", str(value), self.policy) if value else None


def _midnight(day: date | None) -> float | None:
    """Return when a day begins, in UTC."""
    return None if day is None else datetime.combine(day, datetime.min.time(), UTC).timestamp()
