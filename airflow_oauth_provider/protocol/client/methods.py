"""How the client proves who it is: one value per method, exactly one mechanism per request (RFC 6749 §2.3).

Form, checks, commands, masking and the acquisition ask the value; no other module knows a method by its
name. So a new method is one function, in the module of its mechanism, and one entry of :data:`METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.protocol.client import client_secret, jwt_assertion, mutual_tls, workload_identity
from airflow_oauth_provider.protocol.client.proof import Entropy, Problems, Proof

# Every command of Airflow builds the form and so reads this module: the rest is imported when it is used.
if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.settings import ClientSettings


class Needs(Enum):
    """What a client proves its identity with; the value is the connection field that holds it."""

    SECRET = "password"
    KEY = "private_key"
    CERTIFICATE = "certificate"
    FILE = "assertion_file"
    NOTHING = None

    @property
    def secret_field(self) -> str | None:
        """The connection field of what is confidential: of a certificate its key, with which it may lie."""
        if self is Needs.CERTIFICATE:
            return "private_key"
        return None if self is Needs.FILE else self.value


def _nothing(_: ClientSettings) -> Iterator[Any]:
    return iter(())


@dataclass(frozen=True)
class Method:
    """A client authentication method.

    :param name: in the connection, and as a rule in a server's metadata (RFC 8414 §2).
    :param label: what the form says of it.
    :param needs: what the identity is proved with.
    :param function: proves it for one request; ``None`` where a provider of ``[oauth2] custom_providers``
        gets the token, which may use whatever is configured.
    :param signs: the proof is a JWT. It carries the time, so a server with another clock refuses it.
    :param algorithms: that it can sign with, whatever the key; empty where the key decides.
    :param offered_as: names for it in a server's metadata (RFC 8414 §2), where they are others.
    :param in_fapi2: the FAPI 2.0 Security Profile names it (§5.3.3.1), whatever else needs a key.
    :param encodes: id and secret travel as Basic, so that ``basic_encoding`` applies.
    :param problems: yields field and message for settings that the method cannot work with.
    :param spellings: yields the strings, other than the secrets themselves, that must not be shown.
    :param advice: yields what else to try when the server refuses the client.
    """

    name: str
    label: str
    needs: Needs
    function: Callable[[ClientSettings, float, Entropy], Proof] | None
    signs: bool = False
    algorithms: tuple[str, ...] = ()
    offered_as: tuple[str, ...] = ()
    in_fapi2: bool = False
    encodes: bool = False
    problems: Callable[[ClientSettings], Problems] = _nothing
    spellings: Callable[[ClientSettings], Iterator[str]] = _nothing
    advice: Callable[[ClientSettings], Iterator[str]] = _nothing


def method_of(settings: ClientSettings) -> Method:
    """Return the method by which a client authenticates."""
    return METHODS[settings.auth_method]


def authenticate(settings: ClientSettings, *, now: float, entropy: Entropy) -> Proof:
    """Prove the client's identity for one request.

    A JWT is made anew for every HTTP attempt: servers remember each ``jti``.

    :param now: seconds since the epoch, as the server is believed to count them.
    :param entropy: returns that many random bytes.
    """
    function = method_of(settings).function
    if function is None:
        raise ValueError(f"{settings.auth_method} makes no token request")
    return function(settings, now, entropy)


def _by_name(methods: Iterable[Method]) -> Mapping[str, Method]:
    return MappingProxyType({method.name: method for method in methods})


METHODS = _by_name(
    (
        Method(
            "client_secret_basic",
            "Client secret, Basic authentication (client_secret_basic)",
            Needs.SECRET,
            client_secret.client_secret_basic,
            encodes=True,
            problems=client_secret.basic_problems,
            spellings=client_secret.basic_spellings,
            advice=client_secret.basic_advice,
        ),
        Method(
            "client_secret_post",
            "Client secret in the request body (client_secret_post)",
            Needs.SECRET,
            client_secret.client_secret_post,
        ),
        Method(
            "client_secret_jwt",
            "JWT signed with the client secret, HS256 (client_secret_jwt)",
            Needs.SECRET,
            jwt_assertion.client_secret_jwt,
            signs=True,
            algorithms=jwt_assertion.SECRET_ALGORITHMS,
            problems=jwt_assertion.secret_jwt_problems,
            advice=jwt_assertion.assertion_advice,
        ),
        Method(
            "private_key_jwt",
            "JWT signed with a private key or certificate (private_key_jwt)",
            Needs.KEY,
            jwt_assertion.private_key_jwt,
            signs=True,
            in_fapi2=True,
            advice=jwt_assertion.assertion_advice,
        ),
        Method(
            "tls_client_auth",
            "Client certificate of a trusted authority, mutual TLS (tls_client_auth)",
            Needs.CERTIFICATE,
            mutual_tls.tls_client_auth,
            in_fapi2=True,
            advice=mutual_tls.subject_advice,
        ),
        Method(
            "self_signed_tls_client_auth",
            "Client certificate known to the server itself, mutual TLS (self_signed_tls_client_auth)",
            Needs.CERTIFICATE,
            mutual_tls.tls_client_auth,
            in_fapi2=True,
            advice=mutual_tls.thumbprint_advice,
        ),
        Method(
            "workload_identity",
            "Assertion of the platform, from a file (workload_identity)",
            Needs.FILE,
            workload_identity.workload_identity,
            offered_as=("private_key_jwt", "spiffe_jwt"),
            problems=workload_identity.workload_problems,
            advice=workload_identity.workload_advice,
        ),
        Method("custom", "Custom token provider from airflow.cfg (custom)", Needs.NOTHING, None),
    )
)
"""Every method by its name, in the order of the form; the first is the default."""
DEFAULT_METHOD = next(iter(METHODS))
