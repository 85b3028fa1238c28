"""What one OAuth client is configured to do: frozen values, checked before they get here.

A field that shapes no token says so (``NO_KEY``); every other one enters the token's key, and every
:class:`Secret` among them is masked and redacted, by walking the settings
(:mod:`airflow_oauth_provider.protocol.leaves`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, NoReturn

from airflow_oauth_provider.protocol.call.dead_token import DeadTokenSign
from airflow_oauth_provider.protocol.configured_server import Issuer, TokenEndpoint
from airflow_oauth_provider.protocol.credential_sources import AssertionFile, ExternalSource
from airflow_oauth_provider.protocol.json_path import Path
from airflow_oauth_provider.protocol.leaves import (
    CREDENTIAL,
    NO_KEY,
    PRESENTED,
    UNORDERED,
    leaves,
    secrets_in,
)
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import Origin, Url

Pairs = tuple[tuple[str, str], ...]
SecretPairs = tuple[tuple[str, Secret], ...]

DEFAULT_EXPIRES_IN = 300.0
"""Seconds a token is taken to live when the server does not say."""


@dataclass(frozen=True)
class RequestSettings:
    """Parameters of the token request.

    :param scope: wanted scope tokens, in the configured order.
    :param include_scope: false leaves ``scope`` out of the request.
    :param allowed_scopes: that single uses may ask for beside *scope*; empty for any. Likewise
        *allowed_audiences* beside *audience*.
    :param rich_requests: what to be granted (RFC 9396), as JSON text in one spelling.
    :param basic_encoding: ``rfc6749`` (§2.3.1, form-encoded) or ``raw``.
    :param body_format: ``form`` (RFC 6749 §4.4.2) or ``json``.
    :param grant_name: ``grant_type``, by which some servers call the grant otherwise.
    """

    scope: tuple[str, ...] = field(default=(), metadata=UNORDERED)
    include_scope: bool = True
    audience: str | None = None
    resources: tuple[str, ...] = field(default=(), metadata=UNORDERED)
    allowed_scopes: tuple[str, ...] = field(default=(), metadata=NO_KEY)
    allowed_audiences: tuple[str, ...] = field(default=(), metadata=NO_KEY)
    rich_requests: str | None = field(default=None, repr=False)
    query_params: Pairs = field(default=(), metadata=PRESENTED)
    post_params: Pairs = field(default=(), metadata=PRESENTED)
    secret_params: SecretPairs = field(default=(), repr=False, metadata=PRESENTED)
    headers: Pairs = field(default=(), metadata=PRESENTED)
    secret_headers: SecretPairs = field(default=(), repr=False, metadata=PRESENTED)
    basic_encoding: str = field(default="rfc6749", metadata=PRESENTED)
    body_format: str = field(default="form", metadata=PRESENTED)
    grant_name: str = field(default="client_credentials", metadata=PRESENTED)


@dataclass(frozen=True)
class ResponseSettings:
    """In what the token response differs from RFC 6749 §5.1; as it stands, in nothing.

    :param members: of some of its members the path by which they are found.
    :param expires_in_unit: ``seconds``, ``milliseconds`` or ``minutes``.
    :param tolerates: ``created`` (status 201), ``untyped`` (no ``token_type``).
    :param names_instance: it names the API that the token is for (``instance_url``).
    """

    members: tuple[tuple[str, Path], ...] = field(default=(), metadata=UNORDERED)
    expires_in_unit: str = "seconds"
    tolerates: tuple[str, ...] = field(default=(), metadata=UNORDERED)
    names_instance: bool = False


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
    :param audience: ``aud``; ``None`` for the issuer where the server is discovered, else the token URL.
    :param claims: additional claims, as JSON text with sorted names (text keeps this hashable).
    :param certificate: PEM; ``None`` where there is none but, perhaps, that which lies with the key.
    """

    algorithm: str | None = field(default=None, metadata=PRESENTED)
    key_id: str | None = field(default=None, metadata=PRESENTED)
    lifetime: float = field(default=60.0, metadata=PRESENTED)
    audience: str | None = field(default=None, metadata=PRESENTED)
    claims: str = field(default="{}", metadata=PRESENTED)
    private_key: Secret | None = field(default=None, repr=False, metadata=CREDENTIAL)
    private_key_passphrase: Secret | None = field(default=None, repr=False, metadata=CREDENTIAL)
    certificate: str | None = field(default=None, metadata=CREDENTIAL)


@dataclass(frozen=True)
class ProofSettings:
    """Proof of possession (DPoP, RFC 9449).

    :param enabled: tokens are asked for that are bound to a key.
    :param private_key: that they are bound to; ``None`` for a new one for each token. It is never the one
        that authenticates the client.
    :param algorithm: of its proofs.
    :param thumbprint: of that key, which tells tokens of different keys apart (RFC 7638).
    """

    enabled: bool = False
    private_key: Secret | None = field(default=None, repr=False, metadata=NO_KEY)
    passphrase: Secret | None = field(default=None, repr=False, metadata=NO_KEY)
    algorithm: str | None = None
    thumbprint: str | None = None


class InstancePlace(NamedTuple):
    """An API whose origin comes with each token.

    :param path: after that origin.
    :param patterns: of hosts that it may have, beside those of ``allowed_origins`` as they stand.
    """

    path: str
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApiSettings:
    """The protected API: where the token may go, and what is sent along.

    :param origins: where the token may go; empty when the connection does not say, which leaves
        the choice to DAG code.
    :param cool_down_on: HTTP statuses of the API whose ``Retry-After`` holds for all calls of it.
    :param dead_when: how the body of a response tells that the token has ended; ``None`` for not at all.
    :param header_name: where the API wants the token, with ``header_scheme`` before it; empty for none.
    :param instance: where ``base_url`` comes with each token; ``None`` for one that does not.
    :param listed_hosts: the allow-list entries (``allowed_api_hosts``) in force.
    :param listed_in: where they are listed, for messages.
    """

    base_url: Url | None = field(default=None, metadata=NO_KEY)
    origins: tuple[Origin, ...] = field(default=(), metadata=NO_KEY)
    headers: Pairs = field(default=(), metadata=NO_KEY)
    probe_path: str | None = field(default=None, metadata=NO_KEY)
    require_scopes: tuple[str, ...] = field(default=(), metadata=UNORDERED)
    refresh_on_status: frozenset[int] = field(default=frozenset({401}), metadata=NO_KEY)
    cool_down_on: frozenset[int] = field(default=frozenset({429}), metadata=NO_KEY)
    dead_when: DeadTokenSign | None = field(default=None, metadata=NO_KEY)
    header_name: str = field(default="Authorization", metadata=NO_KEY)
    header_scheme: str = field(default="Bearer", metadata=NO_KEY)
    instance: InstancePlace | None = field(default=None, metadata=NO_KEY)
    listed_hosts: tuple[str, ...] = field(default=(), metadata=NO_KEY)
    listed_in: str = field(default="allowed_api_hosts", metadata=NO_KEY)


@dataclass(frozen=True)
class PresentedCertificate:
    """A certificate that the client presents where a server asks for one (RFC 8705).

    :param chain: PEM; the client's own comes first, those of its issuers follow.
    :param private_key: in any of the forms that :mod:`airflow_oauth_provider.protocol.client.keys` reads.
    """

    chain: str = field(metadata=PRESENTED)
    private_key: Secret = field(repr=False, metadata=PRESENTED)
    private_key_passphrase: Secret | None = field(default=None, repr=False, metadata=PRESENTED)


@dataclass(frozen=True)
class NetworkSettings:
    """How servers are reached.

    :param ca_certificates: PEM text of the only authorities trusted; ``None`` for the machine's own.
    :param request_timeout: seconds for one token request.
    :param token_host_listed: the token host is allow-listed, so that its address may be any.
    :param certificate: to present; tokens are taken to be bound to it (RFC 8705 §3), so that endpoints for
        such clients are preferred, and API calls present it too.
    """

    ca_certificates: str | None = None
    verify_tls: bool = True
    request_timeout: float = field(default=15.0, metadata=NO_KEY)
    proxy_url: Secret | None = field(default=None, repr=False)
    token_host_listed: bool = field(default=False, metadata=NO_KEY)
    certificate: PresentedCertificate | None = field(default=None, metadata=PRESENTED)

    @property
    def elsewhere(self) -> NetworkSettings:
        """For hosts that are neither the authorization server's nor the API's."""
        return replace(self, certificate=None) if self.certificate is not None else self


@dataclass(frozen=True)
class CustomProvider:
    """A token callable that ``airflow.cfg`` allow-lists under *name*."""

    name: str = field(metadata=NO_KEY)
    path: str = field(metadata=CREDENTIAL)
    function: Callable[[ClientSettings], Any] = field(repr=False, compare=False, metadata=NO_KEY)


@dataclass(frozen=True)
class ClientSettings:
    """One OAuth client: a connection, resolved and checked.

    :param server: the authorization server. A token request asks it for an address; all others only for
        its origin.
    :param auth_method: name of the client authentication method.
    :param profile: name of the rules that these settings obey.
    :param external: where secret or key come from, if not from the connection.
    :param credential_expires_at: as a person has entered it (seconds since the epoch); it only warns.
    :param team: Airflow team that owns the connection, where Airflow says so.
    """

    server: TokenEndpoint | Issuer = field(metadata=CREDENTIAL)
    client_id: str = field(metadata=CREDENTIAL)
    auth_method: str = field(default="client_secret_basic", metadata=CREDENTIAL)
    client_secret: Secret | None = field(default=None, repr=False, metadata=CREDENTIAL)
    request: RequestSettings = field(default=RequestSettings(), metadata=PRESENTED)
    response: ResponseSettings = ResponseSettings()
    retry: RetrySettings = field(default=RetrySettings(), metadata=NO_KEY)
    # Holds parts of the credential.
    assertion: AssertionSettings = field(default=AssertionSettings(), metadata=CREDENTIAL)
    proof: ProofSettings = ProofSettings()
    api: ApiSettings = ApiSettings()
    network: NetworkSettings = field(default=NetworkSettings(), metadata=PRESENTED)
    custom: CustomProvider | None = field(default=None, metadata=CREDENTIAL)
    assertion_file: AssertionFile | None = field(default=None, metadata=CREDENTIAL)
    profile: str = field(default="standard", metadata=NO_KEY)
    external: ExternalSource | None = field(default=None, metadata=NO_KEY)
    category: str | None = field(default=None, metadata=NO_KEY)
    credential_expires_at: float | None = field(default=None, metadata=NO_KEY)
    team: str | None = field(default=None, metadata=CREDENTIAL)

    @property
    def credential(self) -> Secret | None:
        """What proves the client's identity: its secret or its private key."""
        return self.client_secret or self.assertion.private_key

    @property
    def credential_source(self) -> str | None:
        """Where the credential comes from, in words; ``None`` for the connection itself."""
        if self.assertion_file is not None:
            return f"assertion file ({self.assertion_file.kind})"
        return None if self.external is None else str(self.external)

    @property
    def sender_constraint(self) -> str | None:
        """By what its tokens are bound to the client, in words; ``None`` for tokens of use to any holder."""
        return "DPoP" if self.proof.enabled else None

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret in these settings, for masking and redaction; looked for once."""
        known: tuple[Secret, ...] | None = self.__dict__.get("all_secrets")
        if known is None:
            values = (secret for leaf in leaves(self) for secret in secrets_in(leaf.value) if secret)
            known = self.__dict__["all_secrets"] = tuple(dict.fromkeys(values))
        return known

    def __reduce__(self) -> NoReturn:
        raise TypeError("ClientSettings cannot be pickled: read the connection again where it is needed")

    def __deepcopy__(self, memo: Mapping[int, Any]) -> ClientSettings:
        return self
