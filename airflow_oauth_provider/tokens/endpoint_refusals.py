"""What an endpoint for questions about tokens has refused: introspection and revocation.

The rules are those of token requests: a wrong secret costs one request a minute, and a server that
asked for a pause is left alone. What concerns one token only is not remembered: the next one may differ.

Rules:

* A refusal of the client itself (``invalid_client``, a bare 401) is remembered for this endpoint. Where it
  is the authorization server's own and no token is held, which would show that the server knows the client,
  it counts as one of the token endpoint, too.
* Of the token endpoint, refusals of the client and times of rest hold here as well, on the same server.
* While nobody knows what the endpoint thinks of the client, one asks, and the others wait for what comes of
  it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from airflow_oauth_provider.exceptions import InvalidClientError, OAuthError, TokenEndpointError
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.endpoint import Endpoint
from airflow_oauth_provider.protocol.token.retry import LEAST_ATTEMPT
from airflow_oauth_provider.protocol.urls import Url
from airflow_oauth_provider.tokens.entries import STATUS_KEPT, Entries
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.refusal_rules import REMEMBERED, rest, standing
from airflow_oauth_provider.tokens.sealed_entries import SealedEntries, refusals
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Lease, NoLease
from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError

Result = TypeVar("Result")

_FIRST_POLL, _LAST_POLL = 0.02, 0.25
_LAST_PART = 0.5
"""Share of a budget that is left for asking beside a caller that gets no response."""
_MOST_ACCEPTED = 1024


class EndpointRefusals(SealedEntries):
    """The refusals of one endpoint.

    :param url: of the endpoint.
    :param own: it is the authorization server's own, not another one that a caller names.
    """

    def __init__(
        self, settings: ClientSettings, sharing: Sharing, endpoint: Endpoint, url: Url, *, own: bool
    ) -> None:
        super().__init__(settings, sharing)
        self._purpose = endpoint.member
        self._address = hashlib.sha256(str(url).encode()).hexdigest()[:16]
        self._entries = Entries(settings, sharing)
        self._own = own

    def asked(self, ask: Callable[[], Result], budget: Budget, stop: Stop) -> Result:
        """Ask, unless a refusal is in force, and remember another one.

        :param ask: sends the request.
        :param stop: ends the wait when the caller's task is being killed.
        :raises OAuthError: that refusal, or what *ask* raises.
        """
        turn = self._turn(budget, stop)
        try:
            result = ask()
        except TaskStoppedError:
            raise  # which says nothing of the server
        except OAuthError as error:
            self._refused(error, budget)
            raise
        finally:
            turn.release()
        _accepted.add(self._name)
        return result

    def note_assertion(self, assertion: Secret) -> None:
        """Note it for the token endpoint's own refusals, too."""
        super().note_assertion(assertion)
        self._entries.note_assertion(assertion)

    @property
    def _name(self) -> str:
        return f"{self._presented_key} {self._purpose} {self._address}"

    def _turn(self, budget: Budget, stop: Stop) -> Lease:
        """Wait until this caller may ask; where nothing is known yet, until nobody else does.

        :raises OAuthError: when it may not ask.
        """
        pause, alone_at = _FIRST_POLL, budget.seconds * _LAST_PART
        while True:
            self._wait_while_refused(budget, stop)
            if self._name in _accepted or budget.left(time.monotonic()) <= alone_at:
                return NoLease()
            turn = self._take_turn()
            if turn is not None:
                # The caller before may have been refused in between.
                if self._standing() is None:
                    return turn
                turn.release()
                continue
            stop.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  (not a secret)
            pause = min(_LAST_POLL, pause * 1.5)

    def _take_turn(self) -> Lease | None:
        if not _turns.take(self._name):
            return None
        lease = self._lease(self._purpose, self._presented_key)
        if lease is None:
            _turns.give_back(self._name)
            return None
        return _Turn(self._name, lease)

    def _wait_while_refused(self, budget: Budget, stop: Stop) -> None:
        """Wait for the end of what is in force.

        :raises OAuthError: what will not end within the budget.
        """
        while (refusal := self._standing()) is not None:
            error, seconds = refusal
            if seconds == 0 or seconds + LEAST_ATTEMPT > budget.left(time.monotonic()):
                raise error
            stop.sleep(seconds)

    def _standing(self) -> tuple[OAuthError, float] | None:
        """Return the error in force and the seconds until it lapses; 0 for one not worth waiting for."""
        last, now = self._entries.status(), time.time()
        of_client = [self._last(), *([self._entries.client_status()] if self._own else [])]
        # As for tokens: that another assertion was accepted since does not concern a refused one.
        over_at = last.authorized_at if self._assertion_file is None else None
        # What the token endpoint refuses for good may be the scope, which nobody asks for here.
        others = [last] if self._own and not last.permanent else []
        return standing(of_client, over_at, now) or standing(others, last.authorized_at, now)

    def _last(self) -> Status:
        """Return the last refusal; one of another address counts for nothing."""
        return self._of_client(self._purpose, self._of_this_address)

    def _of_this_address(self, content: bytes) -> Status | None:
        status = Status.load(content)
        return status if status is not None and json.loads(content).get("address") == self._address else None

    def _refused(self, error: OAuthError, budget: Budget) -> None:
        permanent = _refuses_client(error)
        seconds = REMEMBERED if permanent else rest(error) if error.retryable else 0.0
        if seconds == 0:
            if isinstance(error, TokenEndpointError):
                _accepted.add(self._name)  # it knows the client, and refuses something else
            return
        now = time.time()
        refused = Status(
            refused_at=now,
            error=error.for_connection(""),
            permanent=permanent,
            refused_until=now + seconds,
            budget=budget.seconds,
        )
        _accepted.discard(self._name)  # so that one asks first, once it is over
        content, until = json.dumps({**refused.content(), "address": self._address}).encode(), now + seconds
        if permanent and self._assertion_file is not None:
            until = now + STATUS_KEPT
        client_key = self._client_key
        for store in (self._store, refusals):
            self._write(self._purpose, client_key, content, until=until, store=store)
        if permanent and self._own and self._entries.token() is None:
            self._entries.refused(error, budget=budget.seconds)


def _refuses_client(error: OAuthError) -> bool:
    """Whether an endpoint does not accept the client, whichever token it is asked about."""
    if isinstance(error, InvalidClientError):
        return True
    return isinstance(error, TokenEndpointError) and error.status == 401 and error.error is None


class _Accepted:
    """The endpoints that have accepted a client, as this process has seen it."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str) -> None:
        self._names[name] = None
        while len(self._names) > _MOST_ACCEPTED:
            with suppress(KeyError):  # another thread was faster
                self._names.popitem(last=False)

    def discard(self, name: str) -> None:
        self._names.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def clear(self) -> None:
        self._names.clear()


class _Turns:
    """Who asks first, among the threads of this process; a store lends a turn among processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def take(self, name: str) -> bool:
        with self._lock:
            free = name not in self._taken
            self._taken.add(name)
            return free

    def give_back(self, name: str) -> None:
        with self._lock:
            self._taken.discard(name)

    def reset(self) -> None:
        """Leave behind what belongs to another process's threads."""
        self.__init__()  # type: ignore[misc]


class _Turn:
    """The turn of one thread, with the store's lease."""

    def __init__(self, name: str, lease: Lease) -> None:
        self._name, self._lease = name, lease

    def release(self) -> None:
        """Give it back."""
        self._lease.release()
        _turns.give_back(self._name)


_accepted, _turns = _Accepted(), _Turns()
os.register_at_fork(after_in_child=_turns.reset)


def clear() -> None:
    """Know no more than a new process does."""
    _accepted.clear()
