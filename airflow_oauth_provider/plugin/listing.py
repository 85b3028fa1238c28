"""Which connections the list shows, and in which order.

The state of a connection costs several reads of the token store, so only the page that is shown
is described, unless the states themselves are what is asked for.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from airflow_oauth_provider.authorizations import (
    LABELS,
    Authorization,
    AuthorizationStatus,
    describe,
    named_category,
)
from airflow_oauth_provider.deployment.policy import Policy

PAGE = 100
"""Connections on one page."""
MAX_ADDRESS = 2_000
"""Characters of a list's query that are read."""
MAX_KNOWN = 10_000
"""Extras whose category is remembered."""

ATTENTION = "attention"
"""Stands in an address for whatever needs attention, in place of a status."""

_ORDERS: dict[str, Callable[[Authorization], Any]] = {
    "name": lambda row: row.conn_id,
    "category": lambda row: (row.category or "").casefold(),
    "host": lambda row: row.token_host or "",
    "method": lambda row: row.auth_method or "",
    "scope": lambda row: row.scope,
    "status": lambda row: (list(LABELS).index(row.status), row.reason or ""),
    "authorized": lambda row: row.authorized_at or 0.0,
}
SORTS = {
    "name": "Name (A-Z)",
    "-name": "Name (Z-A)",
    "status": "Status (authorized first)",
    "-status": "Status (authorized last)",
    "-authorized": "Authorized (latest first)",
    "authorized": "Authorized (latest last)",
    "category": "Category (A-Z)",
    "-category": "Category (Z-A)",
    "host": "Token host (A-Z)",
    "-host": "Token host (Z-A)",
    "method": "Method (A-Z)",
    "-method": "Method (Z-A)",
    "scope": "Scope (A-Z)",
    "-scope": "Scope (Z-A)",
}
"""Each order in words, for cards: they have no headings to press."""


@dataclass(frozen=True)
class Query:
    """What a person asks the list for, as it stands in its address.

    :param text: part of name, description, access token URL or client ID.
    :param sort: a column, with ``-`` before it from the last to the first.
    :param page: from 1.
    """

    text: str = ""
    category: str = ""
    status: str = ""
    sort: str = "name"
    page: int = 1

    @classmethod
    def of(cls, address: str) -> Query:
        """Read it from the query of an address, which may hold anything."""
        given = dict(parse_qsl(address[:MAX_ADDRESS]))
        page = given.pop("page", "")
        texts = {name: given[name] for name in ("text", "category", "status", "sort") if name in given}
        return cls(**texts, page=int(page) if re.fullmatch(r"[0-9]{1,6}", page, re.ASCII) else 1)

    @property
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self.text or self.category or self.status)

    @property
    def column(self) -> str:
        """The column to sort by; the name, where the address makes no sense."""
        column = self.sort.removeprefix("-")
        return column if column in _ORDERS else "name"

    @property
    def descending(self) -> bool:
        """Whether the last comes first."""
        return self.sort.startswith("-")

    @property
    def order(self) -> str:
        """Column and direction, one of :data:`SORTS`."""
        return f"-{self.column}" if self.descending else self.column

    @property
    def needs_states(self) -> bool:
        """Whether every connection has to be described before the first row is known."""
        return bool(self.status) or self.column != "name"

    def with_status(self, status: str) -> str:
        """Return the address of this list with another status; with none, once it has this one."""
        return replace(self, status="" if status == self.status else status, page=1).address()

    def sorted_by(self, column: str) -> str:
        """Return the address of this list sorted by a column; by the same once more, the other way."""
        again = column == self.column and not self.descending
        return replace(self, sort=f"-{column}" if again else column, page=1).address()

    def turned_to(self, page: int) -> str:
        """Return the address of another page."""
        return replace(self, page=page).address()

    def address(self) -> str:
        """Return it as the query of an address; defaults are left out."""
        plain = Query()
        given = {name: value for name, value in vars(self).items() if value != getattr(plain, name)}
        return f"?{urlencode(given)}"

    def as_origin(self) -> str:
        """Return what a connection's own address says of the list, so that the way back leads to it."""
        query = self.address().removeprefix("?")
        return f"?{urlencode({'list': query})}" if query else ""


@dataclass(frozen=True)
class Counts:
    """How many of the connections, whatever their status, have each.

    :param attention: those that need it.
    """

    statuses: tuple[tuple[AuthorizationStatus, int], ...]
    attention: int
    total: int

    @classmethod
    def of(cls, states: Iterable[Authorization]) -> Counts:
        """Count."""
        known, now = list(states), time.time()
        counted = Counter(state.status for state in known)
        present = tuple((status, counted[status]) for status in LABELS if counted[status])
        return cls(present, sum(state.needs_attention(now) for state in known), len(known))


@dataclass(frozen=True)
class Listing:
    """One page of connections.

    :param rows: the connections on it.
    :param total: how many there are on all pages.
    :param page: its number, from 1 to *pages*.
    :param categories: of all connections the person may read, whatever the filters.
    :param counts: ``None`` where not every connection had to be described for this page.
    """

    rows: tuple[Authorization, ...]
    total: int
    page: int
    pages: int
    categories: tuple[str, ...]
    counts: Counts | None = None


def listing(connections: Iterable[Any], query: Query, policy: Policy) -> Listing:
    """Filter, sort and cut.

    :param connections: all that the person may read, by name.
    """
    categorized = [(connection, category_of(connection, policy)) for connection in connections]
    kept = [connection for connection, category in categorized if _is_meant(connection, category, query)]
    ordered: list[Any] = kept
    counts = None
    if query.needs_states or len(kept) <= PAGE:
        states = [describe(connection, policy) for connection in kept]
        counts = Counts.of(states)
        matching = [state for state in states if _has_status(state, query.status)]
        ordered = sorted(matching, key=_ORDERS[query.column], reverse=query.descending)
    elif query.descending:
        ordered = kept[::-1]
    pages = max(1, -(-len(ordered) // PAGE))
    page = min(max(1, query.page), pages)
    on_page = ordered[(page - 1) * PAGE : page * PAGE]
    rows = on_page if counts else [describe(connection, policy) for connection in on_page]
    names = sorted(
        {category for _, category in categorized if category}, key=lambda name: (name.casefold(), name)
    )
    return Listing(tuple(rows), len(ordered), page, pages, tuple(names), counts)


def counts(connections: Iterable[Any], query: Query, policy: Policy) -> Counts:
    """Describe and count all that the filters leave, whatever the status."""
    return Counts.of(
        describe(connection, policy)
        for connection in connections
        if _is_meant(connection, category_of(connection, policy), query)
    )


def _has_status(state: Authorization, status: str) -> bool:
    if status == ATTENTION:
        return state.needs_attention(time.time())
    return status in {"", state.status.value}


def matching(connections: Iterable[Any], query: Query, policy: Policy) -> list[Any]:
    """Return the connections that the filters leave, on whichever page."""
    return [
        connection
        for connection in connections
        if _is_meant(connection, category_of(connection, policy), query)
        and (not query.status or _has_status(describe(connection, policy), query.status))
    ]


def _is_meant(connection: Any, category: str, query: Query) -> bool:
    """Whether the filters leave a connection, whatever its status."""
    return query.category in {"", category} and _contains(connection, query.text)


def _contains(connection: Any, text: str) -> bool:
    fields = (connection.conn_id, connection.description, connection.host, connection.login)
    return any(text.casefold() in (field or "").casefold() for field in fields)


def category_of(connection: Any, policy: Policy) -> str:
    """Return a connection's category without describing it; the default one where it names none."""
    return _named_category(connection) or policy.default_category or ""


# Digest of an extra as it is stored → its category. Decrypting 500 takes longer than all the rest of
# finding them; what is remembered is neither secret nor anything to decrypt.
_known: OrderedDict[bytes, str] = OrderedDict()


def _named_category(connection: Any) -> str:
    stored = getattr(connection, "stored_extra", None)
    if stored is None:
        return named_category(connection) or ""
    digest = hashlib.blake2b(stored.encode(errors="replace"), digest_size=16).digest()
    known = _known.get(digest)
    if known is None:
        known = _known[digest] = named_category(connection) or ""
        if len(_known) > MAX_KNOWN:
            _known.popitem(last=False)
    return known
