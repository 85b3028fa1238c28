"""One acquisition: from settings to a token or an error, as a generator.

It yields what is to be done (:mod:`airflow_oauth_provider.protocol.effects`), and returns a
:class:`Granted` or raises the typed error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.dpop.server_hints import ServerHints
from airflow_oauth_provider.protocol.dpop.token_proofs import TokenProofs
from airflow_oauth_provider.protocol.effects import Flow
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.moments import Budget, Moment
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.endpoint import token_endpoint
from airflow_oauth_provider.protocol.token.exchange import Exchange, Message
from airflow_oauth_provider.protocol.token.metadata import KnownMetadata
from airflow_oauth_provider.protocol.token.request import TokenRequest, build_token_request
from airflow_oauth_provider.protocol.token.response import Granted, read_token_response, success_statuses
from airflow_oauth_provider.protocol.token.server import ServerLookup

Acquisition = Flow[Granted]


def acquisition(
    settings: ClientSettings,
    began: Moment,
    budget: Budget,
    *,
    random: Callable[[], float],
    entropy: Callable[[int], bytes],
    known: KnownMetadata | None = None,
    hints: ServerHints | None = None,
) -> Acquisition:
    """Acquire a token.

    :param began: now.
    :param budget: of the caller, who may have waited for others before.
    :param known: metadata of the server's issuer, as somebody has fetched it before.
    :param hints: what servers have said of proofs of possession; ``None`` for nothing.
    :param random: returns a float in [0, 1).
    :param entropy: returns that many random bytes.
    :raises OAuthError: the last error, when there is nothing left to try.
    """
    lookup = None if method_of(settings).function is None else ServerLookup(settings, known)
    proofs = TokenProofs(settings, hints or ServerHints(), entropy) if settings.proof.enabled else None

    def build(proving: ClientSettings, now: float) -> TokenRequest | None:
        if lookup is None or lookup.url is None:
            return None
        request = build_token_request(proving, lookup.url, now=now, entropy=entropy)
        return request if proofs is None else proofs.put_on(request, lookup.url, now)

    def read(response: HttpResponse, sent: Moment, redactor: Redactor) -> Granted:
        granted = read_token_response(settings, response, requested_at=sent.wall, redactor=redactor)
        return granted if proofs is None else replace(granted, token=proofs.bound(granted.token))

    message = Message(token_endpoint(settings), build, read, lookup, success_statuses(settings), proofs)
    granted = yield from Exchange(settings, message, began, budget, random).run()
    return replace(granted, warnings=(*granted.warnings, *lookup.warnings)) if lookup else granted
