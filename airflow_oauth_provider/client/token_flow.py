"""Decide what a caller needs for a token; threads and coroutines carry it out, each in its own way."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.exceptions import InvalidClientError
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.manager import shared

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """A token that an API did not accept.

    :param origin: of the API; ``None`` where it is not known.
    """

    token: AccessToken
    origin: Origin | None


@dataclass(frozen=True)
class Read:
    """Read the connection; the outcome is its settings."""


@dataclass(frozen=True)
class Acquire:
    """Acquire a token; the outcome is the token, or ``None`` where renewing a refused one cannot help.

    :param force: a new token, whatever is held.
    :param refusal: the token to be replaced, if an API has refused one.
    """

    settings: ClientSettings
    force: bool = False
    refusal: Refusal | None = None


TokenFlow = Generator[Read | Acquire, Any, AccessToken | None]


def token_flow(
    conn_id: str,
    settings: ClientSettings | None,
    *,
    read_anew: bool,
    force: bool = False,
    refusal: Refusal | None = None,
) -> TokenFlow:
    """Return a token: from memory, else from an acquisition with the connection as it is now.

    :param settings: as last read; ``None`` for a connection that was not read yet.
    :param read_anew: false where they were read only just now, and no acquisition has used them.
    :raises InvalidClientError: when the client is refused, and its credential has not changed meanwhile.
    """
    if settings is None:
        settings, read_anew = (yield Read()), False
    token = None if force else _held_instead(settings, refusal)
    if token is not None:
        return token
    if read_anew:
        settings = yield Read()
    try:
        token = yield Acquire(settings, force, refusal)
    except InvalidClientError:
        before = token_key(settings)
        settings = yield Read()
        if token_key(settings) == before:
            raise
        log.info('Connection "%s" has changed meanwhile: trying its new credential', conn_id)
        token = yield Acquire(settings, force, refusal)
    granted: AccessToken | None = token
    return granted


def _held_instead(settings: ClientSettings, refusal: Refusal | None) -> AccessToken | None:
    """Return the token in memory where it serves: fresh, and another than a refused one."""
    slot = shared.slots.of(settings)
    token = slot.fresh()
    if token is None or refusal is None:
        return token
    if token.value == refusal.token.value:
        return None
    with slot.lock:
        slot.refuse(refusal.token)
    return token
