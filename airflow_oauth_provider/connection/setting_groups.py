"""From the extra of a connection to its settings, one section of the form after the other."""

from __future__ import annotations

import json

from airflow_oauth_provider.connection import checks, unusual_servers
from airflow_oauth_provider.connection.extra import MASKED, Extra
from airflow_oauth_provider.connection.hosts import require_host
from airflow_oauth_provider.connection.parsing import FieldError, parse_claims
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol import settings as s
from airflow_oauth_provider.protocol.call.instance import PLACEHOLDER as INSTANCE
from airflow_oauth_provider.protocol.client.methods import Method
from airflow_oauth_provider.protocol.token.authorization_details import DetailsError, canonical
from airflow_oauth_provider.protocol.urls import Url, UrlError, host_allowed, with_scheme


def request_settings(extra: Extra, token_url: Url) -> s.RequestSettings:
    """Return what the token request carries."""
    request = s.RequestSettings(
        scope=extra.scopes("scope"),
        include_scope=extra.value("include_scope"),
        audience=extra.value("audience"),
        resources=extra.value("resource") or (),
        allowed_scopes=extra.value("allowed_scopes") or (),
        allowed_audiences=extra.value("allowed_audiences") or (),
        rich_requests=_rich_requests(extra),
        query_params=extra.value("query_params") or (),
        post_params=extra.value("post_params") or (),
        secret_params=extra.secret_pairs("secret_params"),
        headers=extra.headers("request_headers"),
        secret_headers=extra.secret_headers("secret_headers"),
        basic_encoding=extra.value("basic_encoding"),
        body_format=extra.value("body_format"),
        grant_name=extra.value("grant_name") or s.RequestSettings.grant_name,
    )
    for field, message in checks.bad_request(request, token_url):
        extra.fail(field, message)
    return request


def _rich_requests(extra: Extra) -> str | None:
    value = extra.value("rich_requests")
    if value is None:
        return None
    try:
        text = canonical(value)
    except DetailsError as error:
        extra.fail("rich_requests", str(error))
    if json.dumps(MASKED) in text:
        extra.fail("rich_requests", f"holds the placeholder {MASKED}: enter what stood there again")
    return text


def assertion_settings(extra: Extra) -> s.AssertionSettings:
    """Return how assertions are made and signed."""
    try:
        claims = parse_claims(extra.content.get("jwt_claims"))
    except FieldError as error:
        extra.fail("jwt_claims", str(error))
    return s.AssertionSettings(
        algorithm=extra.value("jwt_algorithm"),
        key_id=extra.value("key_id"),
        lifetime=extra.value("jwt_lifetime"),
        audience=extra.value("jwt_audience"),
        claims=json.dumps(claims, sort_keys=True),
        private_key=extra.secret("private_key"),
        private_key_passphrase=extra.secret("private_key_passphrase"),
        certificate=extra.value("certificate"),
    )


def proof_settings(extra: Extra, assertion: s.AssertionSettings, method: Method) -> s.ProofSettings:
    """Return how possession of a token is proved.

    A key that authenticates the client never signs proofs: a server that does not look at ``typ`` could take
    one for the other (RFC 9449 §11.5). There each token gets a key of its own.
    """
    if not extra.value("dpop"):
        return s.ProofSettings()
    if method.function is None:
        extra.fail("dpop", f"cannot be on beside {method.name}: the provider would keep the token's key")
    if method.needs.secret_field == "private_key" or assertion.private_key is None:
        return s.ProofSettings(enabled=True)
    return s.ProofSettings(
        enabled=True,
        private_key=assertion.private_key,
        passphrase=assertion.private_key_passphrase,
        algorithm=None if method.signs else assertion.algorithm,
    )


_COOL_DOWN_ON = {"429": frozenset({429}), "429_or_503": frozenset({429, 503}), "never": frozenset[int]()}


def api_settings(extra: Extra, policy: Policy) -> s.ApiSettings:
    """Return where the token may go, and what is sent along."""
    text = extra.url_with_tenant("base_url", extra.value("base_url"))
    instance, texts = unusual_servers.instance_place(extra, text, extra.value("allowed_origins") or ())
    base_url = None if instance else _api_url(extra, policy, "base_url", text)
    others = [_api_url(extra, policy, "allowed_origins", text) for text in texts]
    if instance and not (others or instance.patterns or policy.api_hosts):
        extra.fail("base_url", f"has {INSTANCE}, for which allowed_origins must list the origins it may name")
    origins = tuple(dict.fromkeys(url.origin for url in (base_url, *others) if url))
    name, scheme = unusual_servers.token_header(extra)
    api = s.ApiSettings(
        base_url=base_url,
        origins=origins,
        headers=extra.headers("api_headers"),
        probe_path=extra.value("probe_path"),
        require_scopes=extra.scopes("require_scopes"),
        refresh_on_status=extra.statuses(),
        cool_down_on=_COOL_DOWN_ON[extra.value("cool_down")],
        dead_when=unusual_servers.dead_token_sign(extra),
        header_name=name,
        header_scheme=scheme,
        instance=instance,
        listed_hosts=policy.api_hosts,
        listed_in=policy.api_hosts_in,
    )
    for field, message in checks.bad_api(api):
        extra.fail(field, message)
    return api


def _api_url(extra: Extra, policy: Policy, field: str, text: str | None) -> Url | None:
    if text is None:
        return None
    try:
        url = checks.parse_address(with_scheme(text), query_allowed=False)
    except UrlError as error:
        extra.fail(field, str(error))
    require_host(extra, field, url, policy.api_hosts, policy.api_hosts_in)
    return url


def network_settings(extra: Extra, policy: Policy, token_url: Url) -> s.NetworkSettings:
    """Return how servers are reached."""
    network = s.NetworkSettings(
        ca_certificates=extra.value("ca_certificates"),
        verify_tls=extra.value("verify_tls"),
        request_timeout=extra.value("request_timeout"),
        proxy_url=extra.secret("proxy_url"),
        token_host_listed=host_allowed(token_url.origin, policy.token_hosts),
    )
    for field, message in checks.bad_network(network, policy):
        extra.fail(field, message)
    if not network.verify_tls:
        extra.warnings.append(
            "TLS certificates are not verified (verify_tls is off): anyone between may read the secret"
        )
    return network


def custom_provider(extra: Extra, policy: Policy, method: Method) -> s.CustomProvider | None:
    """Return the callable that gets tokens, where the method wants one."""
    name = extra.value("custom_provider")
    if method.function is not None:
        if name:
            extra.warnings.append(f"custom_provider is ignored: auth_method is {method.name}")
        return None
    try:
        return checks.load_custom_provider(name, policy)
    except FieldError as error:
        extra.fail("custom_provider", str(error))
