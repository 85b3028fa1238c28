"""The proofs of one acquisition, all with the key that its token will be bound to (RFC 9449 §5, §8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.dpop.bound_token import with_key
from airflow_oauth_provider.protocol.dpop.proof import PROOF_HEADER, new_proof
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key, new_proof_key
from airflow_oauth_provider.protocol.dpop.server_hints import NONCE_HEADER, Role, Server, ServerHints
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import credential_key
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.protocol.urls import Url


class TokenProofs:
    """Signs the proofs of one acquisition, with one key.

    :param hints: what servers have said of proofs.
    :param entropy: returns that many random bytes.
    """

    def __init__(self, settings: ClientSettings, hints: ServerHints, entropy: Callable[[int], bytes]) -> None:
        proof = settings.proof
        self._settings = settings
        self._hints = hints
        self._entropy = entropy
        self._own_key = None if proof.private_key else new_proof_key(entropy)
        self._key = load_proof_key(self._own_key or proof.private_key, proof.passphrase, proof.algorithm)
        self._server: Server | None = None
        self._nonce: str | None = None

    def put_on(self, request: TokenRequest, endpoint: Url, now: float) -> TokenRequest:
        """Return a request with a proof of its own.

        :param endpoint: where it goes.
        :param now: seconds since the epoch, as the server is believed to count them.
        """
        self._server = credential_key(self._settings), Role.AUTHORIZATION_SERVER, str(endpoint.origin)
        nonce = self._nonce or self._hints.of(self._server).nonce
        value = new_proof(self._key, "POST", str(endpoint), now=now, entropy=self._entropy, nonce=nonce)
        confidential = [value] if self._own_key is None else [value, self._own_key.reveal()]
        return replace(
            request,
            headers=(*request.headers, (PROOF_HEADER, value)),
            redactor=request.redactor.with_values(*confidential),
        )

    def learn(self, response: HttpResponse) -> bool:
        """Keep the nonce of a response to the last request; return whether there was one."""
        if self._server is None:
            raise AssertionError("a response comes after a request")
        nonces = [value for name, value in response.headers if name == NONCE_HEADER.lower()]
        if not self._hints.learn_nonce(self._server, nonces):
            return False
        self._nonce = nonces[0]  # whatever others learn meanwhile
        return True

    def bound(self, token: AccessToken) -> AccessToken:
        """Return a token that was granted with its key."""
        bound = with_key(token, self._settings.proof, self._own_key)
        if bound is None:
            raise AssertionError("a token that was asked for with a proof is bound to its key")
        return bound
