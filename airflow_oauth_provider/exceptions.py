"""Every error of this package; decide by type and attribute, never by text.

::

    OAuthError(Exception)                retryable: may the same call succeed later?
    ├── ConfigurationError(ValueError)   the connection or airflow.cfg is wrong; nothing was sent
    │   └── ConnectionNotFoundError      … because no connection has this id
    ├── TransportError                   no response: DNS, TLS, refused, reset, timeout
    ├── TokenResponseError               a response that RFC 6749 §5 does not allow
    ├── TokenEndpointError               the authorization server refused (RFC 6749 §5.2)
    │   └── InvalidClientError           … because of the client's own credential
    ├── ResourceError(AirflowException)  the API refused the call
    │   └── InsufficientScopeError       … because the token lacks a scope (RFC 6750 §3.1)
    └── UnexpectedError                  a defect: something raised that should not have

An error holds plain values only (no client, session, request or response), so it can be pickled,
copied, logged and shown. Nothing secret ever enters one.
"""

from __future__ import annotations

import copy
from typing import Self

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

MAX_DESCRIPTION = 1000


def sentence(advice: str) -> str:
    """Return advice as a sentence of its own; the full stop is the caller's."""
    return f"{advice[:1].upper()}{advice[1:]}"


class OAuthError(Exception):
    """Base of all errors of this package.

    :param message: what happened, without any secret.
    :param conn_id: the Airflow connection concerned; ``None`` while it is not known.
    :param advice: what to do about it, where there is more to say than the message does; ``str()`` puts
        it behind the message, and displays put it in a place of its own.
    """

    retryable: bool = False

    def __init__(self, message: str, *, conn_id: str | None = None, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.conn_id = conn_id
        self.advice = advice

    def __str__(self) -> str:
        return self._advised(f'Connection "{self.conn_id}": {self.message}' if self.conn_id else self.message)

    def _advised(self, text: str) -> str:
        return f"{text.removesuffix('.')}. {sentence(self.advice)}" if self.advice else text

    def with_advice(self, advice: str | None) -> Self:
        """Set what to do about it.

        :return: the error itself, to be raised.
        """
        self.advice = advice
        return self

    def for_connection(self, conn_id: str) -> Self:
        """Return a copy that names *conn_id*.

        Callers that waited for one acquisition each raise a copy of their own: an exception
        object raised in several threads would mix up their tracebacks.
        """
        named = copy.copy(self)
        named.conn_id = conn_id
        return named


class ConfigurationError(OAuthError, ValueError):
    """A setting is missing, malformed or not allowed; nothing was sent.

    :param field: the connection field, ``airflow.cfg`` option or argument to change.
    """

    def __init__(self, message: str, *, field: str | None = None, conn_id: str | None = None) -> None:
        super().__init__(message, conn_id=conn_id)
        self.field = field

    def __str__(self) -> str:
        where = [f'Connection "{self.conn_id}"'] if self.conn_id else []
        if self.field:
            where.append(f'{"option" if self.field.startswith("-") else "field"} "{self.field}"')
        return self._advised(f"{', '.join(where)}: {self.message}" if where else self.message)


class ConnectionNotFoundError(ConfigurationError, AirflowNotFoundException):
    """No connection has this id.

    Also Airflow's ``AirflowNotFoundException``, so that ``except`` clauses written for that go on working.
    """


class TransportError(OAuthError):
    """No usable response came back: DNS, connect, TLS, proxy, reset or timeout.

    :param host: ``host:port`` that was called.
    :param attempts: requests made by this acquisition.
    :param elapsed: seconds spent.
    :param retryable: false where repeating cannot help (a certificate that does not verify).
    :param retry_after: seconds the server asked callers to stay away, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        host: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        retryable: bool = True,
        retry_after: float | None = None,
        conn_id: str | None = None,
    ) -> None:
        super().__init__(message, conn_id=conn_id)
        self.host = host
        self.attempts = attempts
        self.elapsed = elapsed
        self.retryable = retryable
        self.retry_after = retry_after


class TokenResponseError(OAuthError):
    """The token endpoint answered with something that is neither a token nor an OAuth error.

    :param status: HTTP status of that response; ``None`` when it could not be read at all.
    """

    def __init__(self, message: str, *, status: int | None = None, conn_id: str | None = None) -> None:
        super().__init__(message, conn_id=conn_id)
        self.status = status


class TokenEndpointError(OAuthError):
    """The token endpoint refused (RFC 6749 §5.2), or answered a status other than 200.

    :param status: HTTP status.
    :param error: the ``error`` code; ``None`` when the response had no valid body.
    :param description: the server's ``error_description``, cleaned and cut to 1,000 characters.
    :param uri: the server's ``error_uri`` when it is an http(s) address.
    :param retry_after: seconds to stay away that the server named, if it did.
    :param retryable: whether the refusal is a passing one.
    :param is_page: the body was a page: something in front of the server has answered.
    """

    def __init__(  # noqa: PLR0913  (the members of RFC 6749 §5.2, and what the transport adds)
        self,
        message: str,
        *,
        status: int | None = None,
        error: str | None = None,
        description: str | None = None,
        uri: str | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
        is_page: bool = False,
        conn_id: str | None = None,
    ) -> None:
        super().__init__(message, conn_id=conn_id)
        self.status = status
        self.is_page = is_page
        self.error = error
        self.description = description
        self.uri = uri
        self.retry_after = retry_after
        self.retryable = retryable


class InvalidClientError(TokenEndpointError):
    """``invalid_client``: the client id, its secret or its key is not accepted."""


class ResourceError(OAuthError, AirflowException):
    """The protected API refused the call, or sent it where the token must not go.

    Also an ``AirflowException``, so that ``except`` clauses and ``retry_args`` written for
    Airflow's HTTP provider go on working.

    :param status: HTTP status of the API's response; ``None`` when no call was made.
    :param challenge: the ``WWW-Authenticate`` schemes of the response, e.g. ``"Bearer"``.
    :param retryable: true for 408, 425, 429 and 5xx.
    :param retry_after: seconds the API asked callers to stay away, if it did; 3,600 at the most.
    :param method: HTTP method of the call.
    :param url: that was called, without the values of its query.
    :param body: beginning of what the API said, 2 KiB at the most, redacted; of a page its title.
    :param sent: false when the call was not made, since the API has asked all its callers to stay away.
    """

    def __init__(  # noqa: PLR0913  (what is known of a call)
        self,
        message: str,
        *,
        status: int | None = None,
        challenge: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        method: str | None = None,
        url: str | None = None,
        body: str | None = None,
        sent: bool = True,
        conn_id: str | None = None,
    ) -> None:
        super().__init__(message, conn_id=conn_id)
        self.sent = sent
        self.status = status
        self.challenge = challenge
        self.retryable = retryable
        self.retry_after = retry_after
        self.method = method
        self.url = url
        self.body = body


class InsufficientScopeError(ResourceError):
    """The token lacks a scope: said by the API (RFC 6750 §3.1) or by ``require_scopes``.

    :param scope: the scopes that are needed, space-delimited; ``None`` when not said.
    """

    def __init__(
        self,
        message: str,
        *,
        scope: str | None = None,
        status: int | None = None,
        challenge: str | None = None,
        method: str | None = None,
        url: str | None = None,
        body: str | None = None,
        conn_id: str | None = None,
    ) -> None:
        super().__init__(
            message, status=status, challenge=challenge, method=method, url=url, body=body, conn_id=conn_id
        )
        self.scope = scope


class UnexpectedError(OAuthError):
    """Something raised that should not have: named by its class only, since its text may hold anything."""


def unexpected(error: BaseException, doing: str) -> UnexpectedError:
    """Return what stands for a foreign error.

    :param doing: what went on, as a noun: "the acquisition".
    """
    place, traceback = "", error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
        place, traceback = f" in {file}, line {traceback.tb_lineno}", traceback.tb_next
    return UnexpectedError(
        f"{doing} failed unexpectedly ({type(error).__name__}{place}). Please report it, with the version of "
        "this package"
    )


_DEFINITE_STATUSES = frozenset({401, 403})


def is_definite(error: OAuthError) -> bool:
    """Whether repeating the task as it is cannot help."""
    if isinstance(error, ResourceError) and error.status is not None:
        return error.status in _DEFINITE_STATUSES and not error.retryable
    return not error.retryable
