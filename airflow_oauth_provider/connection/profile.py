"""A connection against its profile; each refusal names the rule and the field."""

from __future__ import annotations

from airflow_oauth_provider.protocol.client.algorithms import one_of
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, SigningKey
from airflow_oauth_provider.protocol.client.methods import METHODS, Needs, method_of
from airflow_oauth_provider.protocol.client.proof import Problems
from airflow_oauth_provider.protocol.configured_server import TokenEndpoint
from airflow_oauth_provider.protocol.profile import (
    ALGORITHM_RULES,
    CLIENT_RULES,
    PROFILES,
    TLS_RULES,
    Profile,
)
from airflow_oauth_provider.protocol.settings import (
    ApiSettings,
    ClientSettings,
    RequestSettings,
    ResponseSettings,
)


def bad_profile(settings: ClientSettings) -> Problems:
    """Check what a profile leaves, except for algorithms: those depend on the key."""
    profile = PROFILES[settings.profile]
    if not profile.strict:
        return
    method, rule = method_of(settings), profile.rule(CLIENT_RULES)
    if not method.in_fapi2:
        others = tuple(other.name for other in METHODS.values() if other.in_fapi2)
        yield "auth_method", f"must be {one_of(others)}: no secret is shared ({rule})"
    if method.needs is not Needs.CERTIFICATE and not settings.proof.enabled:
        yield "dpop", f"must be on, or a client certificate prove the identity: tokens are bound ({rule})"
    if isinstance(settings.server, TokenEndpoint):
        yield "discovery", f"must be on: endpoints come from the issuer's metadata only ({rule})"
    elif method.signs and settings.assertion.audience not in {None, settings.server.audience}:
        yield "jwt_audience", f"must be empty: an assertion is meant for the issuer alone ({rule})"
    yield from _bad_messages(settings, rule)
    yield from _bad_tls(settings, profile.rule(TLS_RULES))


def _bad_messages(settings: ClientSettings, rule: str) -> Problems:
    """Check for messages that are not those of RFC 6749 and RFC 6750, which the profile is one of."""
    api, request = settings.api, settings.request
    if api.header_name != ApiSettings.header_name:
        yield "header_name", f"must be empty: the token stands in Authorization ({rule})"
    if api.header_scheme != ApiSettings.header_scheme:
        yield "header_scheme", f"must be empty: its scheme is Bearer or DPoP ({rule})"
    standard = RequestSettings(), ResponseSettings()
    for field, differs in (
        ("body_format", request.body_format != standard[0].body_format),
        ("grant_name", request.grant_name != standard[0].grant_name),
        ("tolerate", settings.response.tolerates),
        ("expires_in_unit", settings.response.expires_in_unit != standard[1].expires_in_unit),
        ("answer_fields", any(name != "instance_url" for name, _ in settings.response.members)),
    ):
        if differs:
            yield field, f"must be empty: token requests and responses are those of RFC 6749 ({rule})"


def _bad_tls(settings: ClientSettings, rule: str) -> Problems:
    if settings.server.origin.scheme != "https":
        yield "host", f"must be https, on this machine, too ({rule})"
    if not settings.network.verify_tls:
        yield "verify_tls", f"must be on ({rule})"


def chosen_algorithm(key: SigningKey, requested: str | None, profile: Profile) -> str:
    """Return what a key signs with.

    :param requested: by the connection; ``None`` for the first that key and profile allow.
    :raises KeyMaterialError: naming the field at fault, the key and the algorithm.
    """
    if requested is not None:
        key.require(requested)
    allowed = key.algorithms if profile.algorithms is None else profile.algorithms
    for algorithm in key.algorithms if requested is None else (requested,):
        if algorithm in allowed:
            return algorithm
    rule = profile.rule(ALGORITHM_RULES)
    if requested is not None:
        reason = f"{requested} is not allowed: it must be {one_of(allowed)} ({rule})"
        raise KeyMaterialError(reason, "jwt_algorithm")
    raise KeyMaterialError(f"is {key.kind}, which signs with none of {', '.join(allowed)} ({rule})")
