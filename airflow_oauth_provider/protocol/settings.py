"""What one OAuth client is configured to do: frozen values, checked before they get here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import Origin, Url

Pairs = tuple[tuple[str, str], ...]
SecretPairs = tuple[tuple[str, Secret], ...]

CLIENT_SECRET_BASIC = "client_secret_basic"
CLIENT_SECRET_POST = "client_secret_post"
CLIENT_SECRET_JWT = "client_secret_jwt"
PRIVATE_KEY_JWT = "private_key_jwt"
CUSTOM = "custom"

DEFAULT_EXPIRES_IN = 300.0
"""Seconds a token is taken to live when the server does not say."""


@dataclass(frozen=True)
class RequestSettings:
    """Parameters of the token request.

    :param scope: wanted scope tokens, in the configured order.
    :param include_scope: false leaves ``scope`` out of the request.
    :param basic_encoding: ``rfc6749`` (§2.3.1, form-encoded) or ``raw``.
    """

    scope: tuple[str, ...] = ()
    include_scope: bool = True
    audience: str | None = None
    resources: tuple[str, ...] = ()
    query_params: Pairs = ()
    post_params: Pairs = ()
    secret_params: SecretPairs = field(default=(), repr=False)
    headers: Pairs = ()
    secret_headers: SecretPairs = field(default=(), repr=False)
    basic_encoding: str = "rfc6749"


@dataclass(frozen=True)
class RetrySettings:
    """Limits of one acquisition.

    :param max_attempts: token requests after the first.
    :param max_wait: seconds of wall time for the whole acquisition.
    """

    max_attempts: int = 3
    max_wait: float = 60.0


@dataclass(frozen=True)
class AssertionSettings:
    """JWT client authentication (RFC 7523 §3).

    :param lifetime: seconds between ``iat`` and ``exp``.
    :param audience: ``aud``; ``None`` means the token URL.
    :param claims: additional claims, as JSON text with sorted names (text keeps this hashable).
    """

    algorithm: str | None = None
    key_id: str | None = None
    lifetime: float = 60.0
    audience: str | None = None
    claims: str = "{}"
    private_key: Secret | None = field(default=None, repr=False)
    private_key_passphrase: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ApiSettings:
    """The protected API: where the token may go, and what is sent along.

    :param origins: where the token may go; empty when the connection does not say, which leaves
        the choice to DAG code.
    :param listed_hosts: the allow-list entries (``allowed_api_hosts``) in force.
    """

    base_url: str | None = None
    origins: tuple[Origin, ...] = ()
    headers: Pairs = ()
    probe_path: str | None = None
    require_scopes: tuple[str, ...] = ()
    refresh_on_status: frozenset[int] = frozenset({401})
    listed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkSettings:
    """How servers are reached.

    :param ca_certificates: PEM text of the only authorities trusted; ``None`` for the machine's own.
    :param request_timeout: seconds for one token request.
    :param token_host_listed: the token host is allow-listed, so that its address may be any.
    """

    ca_certificates: str | None = None
    verify_tls: bool = True
    request_timeout: float = 15.0
    proxy_url: Secret | None = field(default=None, repr=False)
    token_host_listed: bool = False


@dataclass(frozen=True)
class CustomProvider:
    """A token callable that ``airflow.cfg`` allow-lists under *name*."""

    name: str
    path: str
    function: Callable[[ClientSettings], Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class ClientSettings:
    """One OAuth client: a connection, resolved and checked.

    :param token_url: of the token endpoint.
    :param auth_method: one of the client authentication methods, or ``custom``.
    :param team: Airflow team that owns the connection, where Airflow tells.
    """

    token_url: Url
    client_id: str
    auth_method: str = CLIENT_SECRET_BASIC
    client_secret: Secret | None = field(default=None, repr=False)
    request: RequestSettings = RequestSettings()
    retry: RetrySettings = RetrySettings()
    assertion: AssertionSettings = AssertionSettings()
    api: ApiSettings = ApiSettings()
    network: NetworkSettings = NetworkSettings()
    custom: CustomProvider | None = None
    category: str | None = None
    team: str | None = None

    @property
    def credential(self) -> Secret | None:
        """What proves the client's identity: its secret or its private key."""
        return self.client_secret or self.assertion.private_key

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret in these settings, for masking and redaction."""
        single = (
            self.client_secret,
            self.assertion.private_key,
            self.assertion.private_key_passphrase,
            self.network.proxy_url,
        )
        pairs = (*self.request.secret_params, *self.request.secret_headers)
        return tuple(secret for secret in (*single, *(value for _, value in pairs)) if secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("ClientSettings cannot be pickled: read the connection again where it is needed")

    def __deepcopy__(self, memo: Mapping[int, Any]) -> ClientSettings:
        return self
