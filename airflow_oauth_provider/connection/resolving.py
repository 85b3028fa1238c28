"""From an Airflow Connection to checked :class:`ClientSettings`, before any network use.

Every error names the connection and the field, and never a value.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.connection import authentication, checks
from airflow_oauth_provider.connection.extra import CONTROL, Extra
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE, FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import (
    FieldError,
    parse_claims,
    require_characters,
)
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol import settings as s
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.client.methods import METHODS, Method
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import Url, UrlError, host_allowed, parse_url, with_scheme

log = logging.getLogger(__name__)

MAX_NAME = 50
MAX_CLIENT_ID = 1024
SHORTEST_SEALING = 16
"""Characters of a secret from which entries in a foreign database are sealed well enough."""

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
    """Settings, and what deserves a warning about the connection they come from."""

    settings: s.ClientSettings
    warnings: tuple[str, ...]


def resolve(connection: Any, policy: Policy, *, thorough: bool = True) -> Resolved:
    """Check a connection and turn it into settings.

    :param connection: an Airflow connection, of the Task SDK or of the database model.
    :param thorough: false leaves out the one check that takes long, where settings are only shown.
    :raises ConfigurationError: naming connection and field.
    """
    conn_id = str(connection.conn_id)
    try:
        require_type(connection)
        return _Resolver(connection, policy).resolve(thorough=thorough)
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
    def __init__(self, connection: Any, policy: Policy) -> None:
        self.connection = connection
        self.conn_id = str(connection.conn_id)
        self.policy = policy
        self.warnings: list[str] = []
        self.extra = Extra(self.conn_id, connection.extra)

    def resolve(self, *, thorough: bool) -> Resolved:
        self._check_names()
        self._check_texts()
        server = self._server()
        token_url = server.url
        method = self.extra.value("auth_method")
        settings = s.ClientSettings(
            server=server,
            client_id=self._client_id(),
            auth_method=method,
            client_secret=self._password(),
            request=self._request(token_url),
            retry=s.RetrySettings(self.extra.value("max_retry_attempts"), self.extra.value("max_wait")),
            assertion=self._assertion(),
            api=self._api(),
            network=self._network(token_url),
            custom=self._custom(METHODS[method]),
            category=self.extra.value("category") or self.policy.default_category,
            team=getattr(self.connection, "team_name", None),
        )
        for field, message in authentication.bad_authentication(settings, self.policy):
            self.extra.fail(field, message)
        settings = authentication.without_unused(settings)
        try:
            settings = authentication.with_algorithm(settings, thorough=thorough)
        except KeyMaterialError as error:
            self.extra.fail(error.field, str(error))
        return Resolved(settings, tuple(self.warnings))

    def _check_names(self) -> None:
        for key in self.extra.content:
            if key in _MISPLACED:
                self.extra.fail(key, f'has no place in the extra: use the field "{_MISPLACED[key]}"')
            if key not in FIELDS_BY_KEY:
                self.warnings.append(
                    f'unknown extra field "{checks.printable(str(key))}" is ignored: check its spelling'
                )
        if len(self.conn_id) > MAX_NAME:
            self.warnings.append(f"the connection's name is longer than {MAX_NAME} characters")

    def _check_texts(self) -> None:
        for name in ("conn_id", "host", "schema", "login", "password"):
            try:
                require_characters(getattr(self.connection, name))
            except FieldError as error:
                self.extra.fail(name, str(error))

    def _server(self) -> s.TokenEndpoint | s.Issuer:
        named = "issuer" if self.extra.value("discovery") else "access token URL"
        try:
            text = checks.token_url_text(self.connection)
            url = parse_url(text, query_allowed=named != "issuer")
        except checks.PortError as error:
            self.extra.fail("port", str(error))
        except UrlError as error:
            self.extra.fail("host", f"the {named} {error}")
        self.require_host("host", url, self.policy.token_hosts, "allowed_token_hosts")
        if named == "issuer":
            return s.Issuer(url, text, self.policy.token_hosts)
        return s.TokenEndpoint(url)

    def require_host(self, field: str, url: Url, patterns: tuple[str, ...], option: str) -> None:
        """Hold an address against an allow-list and the addresses nobody means."""
        if host_allowed(url.origin, patterns):
            return
        host = url.origin.authority
        if patterns:
            log.warning(
                'Connection "%s", field "%s": host %s is not in [oauth2] %s',
                self.conn_id,
                field,
                host,
                option,
            )
            self.extra.fail(field, f"the host {host} is not in [oauth2] {option} of airflow.cfg")
        if checks.forbidden(url):
            self.extra.fail(
                field,
                f"no server has the address {host} (link-local, metadata, reserved); if it is meant, list it "
                f"in [oauth2] {option}",
            )

    def _client_id(self) -> str:
        client_id = self.connection.login
        if not client_id:
            self.extra.fail("login", "the client ID is missing")
        if CONTROL.search(client_id):
            self.extra.fail("login", "the client ID contains control characters")
        if len(client_id.encode(errors="replace")) > MAX_CLIENT_ID:
            self.extra.fail("login", "the client ID is longer than 1 KiB")
        return str(client_id)

    def _password(self) -> Secret | None:
        value = self.connection.password
        if not value:
            return None
        secret = self.extra.secret_of("password", str(value), multiline=False)
        if value != value.strip():
            self.warnings.append("the client secret begins or ends with a space: is that meant?")
        if len(value) < self.policy.shortest_masked:
            self.warnings.append("the client secret is so short that Airflow does not mask it in logs")
        if len(value) < SHORTEST_SEALING and self.policy.sharing.leaves_the_host:
            self.warnings.append(
                f"the client secret has less than {SHORTEST_SEALING} characters and could be guessed from "
                "entries of the token store: set [oauth2] store_key"
            )
        return secret

    def _request(self, token_url: Url) -> s.RequestSettings:
        request = s.RequestSettings(
            scope=self.extra.scopes("scope"),
            include_scope=self.extra.value("include_scope"),
            audience=self.extra.value("audience"),
            resources=self.extra.value("resource") or (),
            query_params=self.extra.value("query_params") or (),
            post_params=self.extra.value("post_params") or (),
            secret_params=self.extra.secret_pairs("secret_params"),
            headers=self.extra.headers("request_headers"),
            secret_headers=self.extra.secret_headers("secret_headers"),
            basic_encoding=self.extra.value("basic_encoding"),
        )
        for field, message in checks.bad_request(request, token_url):
            self.extra.fail(field, message)
        return request

    def _assertion(self) -> s.AssertionSettings:
        try:
            claims = parse_claims(self.extra.content.get("jwt_claims"))
        except FieldError as error:
            self.extra.fail("jwt_claims", str(error))
        return s.AssertionSettings(
            algorithm=self.extra.value("jwt_algorithm"),
            key_id=self.extra.value("key_id"),
            lifetime=self.extra.value("jwt_lifetime"),
            audience=self.extra.value("jwt_audience"),
            claims=json.dumps(claims, sort_keys=True),
            private_key=self.extra.secret("private_key"),
            private_key_passphrase=self.extra.secret("private_key_passphrase"),
        )

    def _api(self) -> s.ApiSettings:
        base_url = self._api_url("base_url", self.extra.value("base_url"))
        texts = self.extra.value("allowed_origins") or ()
        others = [self._api_url("allowed_origins", text) for text in texts]
        origins = tuple(dict.fromkeys(url.origin for url in (base_url, *others) if url))
        api = s.ApiSettings(
            base_url=base_url,
            origins=origins,
            headers=self.extra.headers("api_headers"),
            probe_path=self.extra.value("probe_path"),
            require_scopes=self.extra.scopes("require_scopes"),
            refresh_on_status=self.extra.statuses(),
            listed_hosts=self.policy.api_hosts,
        )
        for field, message in checks.bad_api(api):
            self.extra.fail(field, message)
        return api

    def _api_url(self, field: str, text: str | None) -> Url | None:
        if text is None:
            return None
        try:
            url = parse_url(with_scheme(text), query_allowed=False)
        except UrlError as error:
            self.extra.fail(field, str(error))
        self.require_host(field, url, self.policy.api_hosts, "allowed_api_hosts")
        return url

    def _network(self, token_url: Url) -> s.NetworkSettings:
        network = s.NetworkSettings(
            ca_certificates=self.extra.value("ca_certificates"),
            verify_tls=self.extra.value("verify_tls"),
            request_timeout=self.extra.value("request_timeout"),
            proxy_url=self.extra.secret("proxy_url"),
            token_host_listed=host_allowed(token_url.origin, self.policy.token_hosts),
        )
        for field, message in checks.bad_network(network, self.policy):
            self.extra.fail(field, message)
        if not network.verify_tls:
            self.warnings.append(
                "TLS certificates are not verified (verify_tls is off): anyone between may read the secret"
            )
        return network

    def _custom(self, method: Method) -> s.CustomProvider | None:
        name = self.extra.value("custom_provider")
        if method.function is not None:
            if name:
                self.warnings.append(f"custom_provider is ignored: auth_method is {method.name}")
            return None
        try:
            return checks.load_custom_provider(name, self.policy)
        except FieldError as error:
            self.extra.fail("custom_provider", str(error))
