"""The proofs of possession that the calls of one connection carry (RFC 9449 §7, §9)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.call.challenges import parse_challenges
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.dpop.proof import new_proof
from airflow_oauth_provider.protocol.dpop.server_hints import INVALID_PROOF, Role, Server
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import credential_key
from airflow_oauth_provider.protocol.token.retry import http_date
from airflow_oauth_provider.tokens.proof_hints import hints


class CallProofs:
    """Signs the proofs of one connection's calls, and keeps the nonces that its servers want.

    :param client: of the connection.
    """

    def __init__(self, client: OAuth2Client) -> None:
        self._client = client
        self._last: tuple[ClientSettings, str, Server] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the resolved settings behind."""
        return {**self.__dict__, "_last": None}

    def sign(self, token: AccessToken, call: SendCall) -> str:
        """Return the proof of possession of *token* for one call."""
        if not isinstance(token, PrivateToken) or token.proof_key is None:
            raise TypeError("a token of type DPoP travels with its key")
        hint = hints.of(self._server(call.url))
        return new_proof(
            token.proof_key,
            call.method,
            call.url,
            now=time.time() + hint.ahead,
            entropy=os.urandom,
            nonce=call.nonce or hint.nonce,
            token=token.value,
        )

    def keep_nonce(self, url: str, nonces: Sequence[str]) -> None:
        """Keep the nonce that came with a response, for the next call.

        :param nonces: its ``DPoP-Nonce`` headers.
        """
        if nonces:
            hints.learn_nonce(self._server(url), nonces)

    def learn(self, call: SendCall, head: ResponseHead, *, used_before: bool = False) -> ResponseHead:
        """Keep what a response says of the proof, and return it with what follows from it.

        :param used_before: an earlier request had the same proof, which an API need not accept.
        """
        challenges = parse_challenges(head.challenges)
        errors = [challenge.parameters.get("error", "") for challenge in challenges]
        server_now = http_date(head.date or "")
        improves = hints.learn(
            self._server(call.url),
            head.nonces,
            errors=errors,
            skew=0.0 if server_now is None else server_now - time.time(),
        )
        return head._replace(proof_can_improve=improves or (used_before and INVALID_PROOF in errors))

    def _server(self, url: str) -> Server:
        """Return who is called; most calls go where the one before went."""
        settings, last = self._client.settings, self._last
        if last is not None and last[0] is settings and last[1] is url:
            return last[2]
        server = credential_key(settings), Role.API, url[: url.find("/", 8)]
        self._last = settings, url, server
        return server
