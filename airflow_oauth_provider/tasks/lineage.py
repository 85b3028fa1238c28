"""What OpenLineage is told of a task: the API as an input, and how the task was authorized. Never a token.

Airflow's OpenLineage provider asks for it, in a forked process, so that its classes are there. Nobody is
asked for a token, and of addresses no query is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_oauth_provider.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_oauth_provider.calls.access import BearerAuth
    from airflow_oauth_provider.tokens import AccessToken

FACET = "oauth2"
"""Name of the run facet."""


def call_lineage(auth: BearerAuth, endpoint: str | None) -> OperatorLineage:
    """Return the lineage of a task that has called an API.

    :param auth: of its hook.
    :param endpoint: rendered.
    """
    from airflow_oauth_provider.tokens.manager import shared

    client = auth.client
    try:
        settings = client.settings
    except ConfigurationError:  # of which the task has failed, and told
        return operator_lineage([authorization_facts(client.conn_id, None, None)])
    token = next(iter(shared.kept(settings, client.sharing)), None)
    host = settings.server.origin.authority
    authorization = authorization_facts(client.conn_id, host, _scopes(token))
    return operator_lineage([authorization], _addresses(auth, endpoint, token))


def authorization_facts(conn_id: str, host: str | None, scopes: Iterable[str] | None) -> dict[str, Any]:
    """Return what is told of one connection.

    OpenLineage's own redaction hides values by parts of their names, such as "token" and "authorization".

    :param host: of the token endpoint or issuer.
    :param scopes: that were granted; ``None`` where that is not known.
    """
    facts = {
        "connectionId": conn_id,
        "server": host,
        "grantedScopes": None if scopes is None else sorted(scopes),
    }
    return {name: value for name, value in facts.items() if value is not None}


def operator_lineage(authorizations: list[dict[str, Any]], addresses: Iterable[str] = ()) -> OperatorLineage:
    """Return the lineage in the classes of Airflow's OpenLineage provider.

    :param authorizations: of the connections that the task has used.
    :param addresses: of the APIs that it has called.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import RunFacet

    facet = RunFacet().with_additional_properties(connections=authorizations)
    parts = [urlsplit(address) for address in addresses]
    inputs = [InputDataset(f"{part.scheme}://{part.netloc}", part.path or "/") for part in parts]
    return OperatorLineage(inputs=inputs, run_facets={FACET: facet})


def _scopes(token: AccessToken | None) -> Iterable[str] | None:
    return None if token is None else token.scopes


def _addresses(auth: BearerAuth, endpoint: str | None, token: AccessToken | None) -> Iterable[str]:
    """Yield the address of an endpoint, where it is known."""
    from airflow_oauth_provider.protocol.call.endpoints import resolve_endpoint
    from airflow_oauth_provider.protocol.texts import plain

    if auth.instance_named and token is None:
        return
    try:
        address = resolve_endpoint(auth.destination_for(token), endpoint)
    except ConfigurationError:  # for which the call was not sent
        return
    yield plain(auth.client.redactor.text(address))
