"""The tokens that a client has handed out, for redacting what comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeVar

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.confidential_values import redactor_of
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken

ErrorType = TypeVar("ErrorType", bound=OAuthError)

HANDED_OUT = 32
"""Tokens remembered: a call that takes long may be answered after they were renewed."""


class HandedOutTokens:
    """The last tokens; the redactor that knows them is made anew only when they, or the settings, change."""

    def __init__(self) -> None:
        self._tokens: deque[AccessToken] = deque(maxlen=HANDED_OUT)
        self._known: tuple[ClientSettings, dict[str, None], Redactor] | None = None

    def add(self, token: AccessToken) -> None:
        """Remember a token."""
        self._tokens.append(token)

    def redactor(self, settings: ClientSettings, current: AccessToken | None) -> Redactor:
        """Return what removes the secrets of *settings* and the tokens from a text.

        :param current: the token in memory, which others may have been handed.
        """
        handed_out = self._tokens if current is None else (*self._tokens, current)
        tokens = {text: None for token in handed_out for text in _confidential(token)}
        known = self._known
        if known is None or known[0] is not settings or known[1] != tokens:
            known = self._known = settings, tokens, redactor_of(settings, *tokens)
        return known[2]


def _confidential(token: AccessToken) -> Iterator[str]:
    """Yield the token, the key it is bound to, and how all proofs with that key begin."""
    yield token.value
    if not isinstance(token, PrivateToken):
        return
    if token.proof_key is not None:
        yield f"{token.proof_key.header}."
    if token.own_key is not None:
        yield token.own_key.reveal()


def own_error(error: ErrorType, conn_id: str, redactor: Redactor) -> ErrorType:
    """Return a copy of an error that names the connection, past the last net."""
    return redactor.for_own_texts().error(error.for_connection(conn_id))
