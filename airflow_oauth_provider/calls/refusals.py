"""From a response that refuses a call to the error that is raised for it."""

from __future__ import annotations

import time
from typing import Any

from requests import Response
from urllib3.exceptions import HTTPError

from airflow_oauth_provider.calls.response import (
    challenges_of,
    credential_of,
    nonces_of,
    seconds_to_stay_away,
)
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.call.excerpts import READ, body_excerpt, url_excerpt
from airflow_oauth_provider.protocol.call.refusal import RefusedCall, resource_error
from airflow_oauth_provider.protocol.dpop.server_hints import name_nonce
from airflow_oauth_provider.transport.deadlines import bounded

MAX_RETRY_AFTER = 3600.0
"""Seconds for which an API's Retry-After is obeyed at the most."""
_READ_TIME = 5.0
"""Seconds in which the beginning of a body is read that the caller has left unread."""


def refusal_of(response: Response, client: OAuth2Client, *confidential: str) -> OAuthError:
    """Return the error for a response of status 400 and above.

    :param confidential: what it may not repeat, beside what *client* knows.
    """
    credential = credential_of(response)
    redactor = client.redactor.with_values(*confidential)
    body = body_excerpt(_beginning(response, client), response.headers.get("Content-Type", ""), redactor)
    call = RefusedCall(
        response.status_code,
        response.reason or "",
        getattr(response.request, "method", None) or getattr(response, "method", None),
        url_excerpt(response.url, redactor) if response.url else None,
        challenges_of(response),
        body,
        obeyed_retry_after(response),
        None if credential is None else credential.new,
        refusal_remembered=credential is not None and credential.refusal_remembered,
        proved=client.settings.proof.enabled,
        names_nonce=name_nonce(nonces_of(response)),
        renews=response.status_code in client.settings.api.refresh_on_status,
    )
    return resource_error(call, redactor).for_connection(client.conn_id)


def obeyed_retry_after(response: Response) -> float | None:
    """Return the seconds an API asks to stay away, an hour at the most; ``None`` when it does not ask."""
    seconds = seconds_to_stay_away(response.status_code, response.headers)
    return None if seconds is None else min(seconds, MAX_RETRY_AFTER)


def _beginning(response: Response, client: OAuth2Client) -> bytes:
    """Return the first bytes of the body; of a stream they are read now, and its connection is closed."""
    if vars(response)["_content"] is not False or response.raw is None:
        return response.content or b""
    raw: Any = response.raw
    try:
        with bounded(time.monotonic() + _READ_TIME, client.stop):
            return bytes(raw.read(READ, decode_content=True))
    except (OSError, HTTPError):
        return b""
    finally:
        response.close()
