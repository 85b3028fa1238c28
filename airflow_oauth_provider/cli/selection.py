"""Which connections a command is about, and which of them it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from airflow_oauth_provider.authorizations import (
    FAILED,
    LABELS,
    AuthorizationStatus,
    CheckResult,
    Target,
    describe,
    status_of,
)
from airflow_oauth_provider.authorizations.stored import find_connections
from airflow_oauth_provider.cli import connections
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError


@dataclass(frozen=True)
class Selection:
    """What ``--failed`` and ``--status`` leave of a list.

    :param status: ``None`` for any.
    """

    failed: bool = False
    status: AuthorizationStatus | None = None

    @classmethod
    def of(cls, args: Any) -> Selection:
        """Read the options.

        :raises ConfigurationError: when there is no such status; it offers similar ones.
        """
        if args.status is None:
            return cls(args.failed)
        known = [status.value for status in AuthorizationStatus]
        name = args.status.strip().lower().replace(" ", "_")
        if name not in known:
            similar = ", ".join(get_close_matches(name, known) or known)
            raise ConfigurationError(f"there is no such status: did you mean {similar}?", field="--status")
        return cls(args.failed, AuthorizationStatus(name))

    def takes(self, status: AuthorizationStatus) -> bool:
        """Whether a connection with this status is shown."""
        return (not self.failed or status in FAILED) and self.status in {None, status}


def status_after(result: CheckResult, target: Target, policy: Policy) -> AuthorizationStatus:
    """Return the status that a check comes to; a probe that failed counts as refused."""
    if result.error is None:
        return AuthorizationStatus.AUTHORIZED
    if target.error is not None or isinstance(result.error, ConfigurationError):
        return AuthorizationStatus.WRONG
    # Only the store knows how often a client was refused in a row.
    status = describe(target.connection, policy).status
    return status if status is AuthorizationStatus.DISABLED else status_of(result.error)


def totals(statuses: Iterable[AuthorizationStatus]) -> str:
    """Return how many have each status: ``49 authorized, 3 refused, 1 disabled``."""
    counts = Counter(statuses)
    return ", ".join(
        f"{counts[status]} {label.lower()}" for status, label in LABELS.items() if counts[status]
    )


def targets_of(args: Any) -> list[Target]:
    """Find what is to be checked.

    :raises ConfigurationError: when nothing is asked for, or none has the category.
    """
    if args.conn_ids and args.all:
        raise ConfigurationError("cannot be given together with connection ids", field="--all")
    if args.conn_ids:
        targets = [connections.named(conn_id) for conn_id in dict.fromkeys(args.conn_ids)]
    elif args.all or args.category:
        targets = [Target.of(stored) for stored in find_connections()]
    else:
        raise ConfigurationError("name connections, or give --all or --category", field="CONN_ID")
    return _of_category(targets, args.category) if args.category else targets


def _of_category(targets: list[Target], category: str) -> list[Target]:
    policy = read_policy()
    # Nobody knows the category of what cannot be read: it fails whatever category is asked for.
    named = {
        target.conn_id: None if target.error else describe(target.connection, policy).category
        for target in targets
    }
    chosen = [target for target in targets if target.error or named[target.conn_id] == category]
    if not chosen:
        similar = get_close_matches(category, filter(None, named.values()))
        hint = f": did you mean {' or '.join(dict.fromkeys(similar))}?" if similar else ""
        raise ConfigurationError(f"no connection has it{hint}", field="--category")
    return chosen
