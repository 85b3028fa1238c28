"""The state of one authorization, from its connection and the token store; no network."""

from __future__ import annotations

import time
from typing import Any

from airflow_oauth_provider.authorizations.authorization import (
    FAILED,
    Authorization,
    AuthorizationStatus,
    Refusal,
    status_of,
)
from airflow_oauth_provider.authorizations.discovered import discovered_hosts_warning
from airflow_oauth_provider.authorizations.history import History
from airflow_oauth_provider.authorizations.known_settings import settings_for_display
from airflow_oauth_provider.authorizations.remedies import reason, remedy
from airflow_oauth_provider.authorizations.settings import displayable, unusual_settings
from airflow_oauth_provider.authorizations.times import credential_warning
from airflow_oauth_provider.authorizations.unforeseen import unforeseen
from airflow_oauth_provider.authorizations.values import ConnectionValues, team_of, value_of
from airflow_oauth_provider.connection.parsing import FieldError, parse_extra
from airflow_oauth_provider.connection.resolving import Resolved
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.client.certificates import certificate_of
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.confidential_values import secrets_redactor
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.authorization_details import displayed, not_granted
from airflow_oauth_provider.tokens.display_index import DisplayIndex, IndexEntry
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.refusal_rules import DISABLED_AFTER
from airflow_oauth_provider.tokens.sharing import Sharing

_WITH_RETRY = frozenset({AuthorizationStatus.DISABLED, AuthorizationStatus.BUSY})
UNVERIFIED = (
    "the status is unverified: this client has no credential of its own, and without [oauth2] store_key "
    "anybody who can write to the token store can write its status"
)


def describe(connection: Any, policy: Policy | None = None) -> Authorization:
    """Return the state of a connection's authorization; of whatever cannot be described, why not.

    An RSA key whose numbers do not fit each other fails when something is signed with it, not here:
    checking one takes some 30 ms, and lists are long.

    :param connection: of the Task SDK or of the database model.
    :param policy: what ``airflow.cfg`` says, for callers that describe many; read where ``None``.
    """
    team = team_of(connection)
    try:
        policy = policy or read_policy()
        values = ConnectionValues.of(connection)
        resolved = settings_for_display(values, policy)
        return _Described(values, team, resolved, policy.sharing).authorization()
    except ConfigurationError as error:
        return _wrong(connection, team, policy, error)
    except Exception as error:  # of whatever kind: the others on the list are none the worse for it
        return _wrong(connection, team, policy, unforeseen(error, str(connection.conn_id), "described"))


class _Described:
    """One connection, whose settings are right, against the store."""

    def __init__(
        self, values: ConnectionValues, team: str | None, resolved: Resolved, sharing: Sharing
    ) -> None:
        self.values, self.team, self.sharing = values, team, sharing
        self.resolved, self.settings = resolved, resolved.settings
        self.entry = _newest_entry(sharing, values.conn_id, team, self.settings)
        self.last_use = self.entry.last_use if self.entry else None
        self.edited = self.entry is not None and self.entry.edited
        entries = Entries(self.settings, sharing)
        self.statuses = [entries.status()]
        if self.last_use is not None and not self.edited:
            self.statuses.append(self.last_use.status)
        self.client_status = entries.client_status()

    def authorization(self) -> Authorization:
        settings, last_use = self.settings, self.last_use
        granted = self._granted()
        refused = max((*self.statuses, self.client_status), key=lambda status: status.refused_at or 0)
        status = self._state(granted, refused)
        failed = status in FAILED
        verified = self._verified(granted, refused)
        return Authorization(
            conn_id=self.values.conn_id,
            status=status,
            reason=reason(refused.error) if failed and refused.error else None,
            in_a_row=self._in_a_row() if status is AuthorizationStatus.DISABLED else None,
            retry_at=self._retry_at() if status in _WITH_RETRY else None,
            team=self.team,
            description=self._displayable(self.values.description),
            category=self._displayable(settings.category),
            token_url=str(settings.server),
            token_host=settings.server.origin.authority,
            client_id=settings.client_id,
            auth_method=settings.auth_method,
            credential_source=settings.credential_source,
            sender_constraint=settings.sender_constraint,
            scope=settings.request.scope,
            granted=granted.scopes,
            scopes_stated=granted.scopes_stated,
            details=displayed(granted.details) or None,
            missing_details=not_granted(settings.request.rich_requests, granted.details),
            authorized_at=granted.authorized_at,
            expires_at=granted.expires_at,
            used_at=last_use.at if last_use and self.edited else None,
            refusal=_refusal(refused),
            probe=last_use.probe if last_use and not self.edited else None,
            certificate_expires_at=certificate_expires_at(settings),
            credential_expires_at=settings.credential_expires_at,
            requests=last_use.requests if last_use else None,
            refusals=last_use.refusals if last_use else None,
            hits=last_use.hits if last_use else None,
            counted_since=last_use.since if last_use else None,
            history=History(self.values.conn_id, settings, self.sharing),
            verified=verified,
            warnings=self._warnings(verified=verified),
            unusual=unusual_settings(self.values),
        )

    def _warnings(self, *, verified: bool) -> tuple[str, ...]:
        hosts = discovered_hosts_warning(self.settings, self.sharing)
        expiry = credential_warning(self.settings.credential_expires_at)
        return (*self.resolved.warnings, *filter(None, (hosts, expiry)), *([] if verified else [UNVERIFIED]))

    def _displayable(self, text: str | None) -> str | None:
        """Return a text that an editor has entered; one may have put a secret there, too."""
        # Most have not, and to prepare the redactor takes longer than all the rest of a list's row.
        if text and any(secret.reveal() in text for secret in self.settings.secrets()):
            text = secrets_redactor(self.settings).text(text)
        return displayable(text)

    def _granted(self) -> Status:
        """Return what is known of the last token, unless it was taken back."""
        granted = max(self.statuses, key=lambda status: status.authorized_at or 0)
        revoked = max(status.revoked_issue or 0.0 for status in self.statuses)
        return Status() if revoked and (granted.authorized_at or 0.0) <= revoked else granted

    def _verified(self, granted: Status, refused: Status) -> bool:
        """Whether none of what is displayed rests on an entry that anybody could have written."""
        if self.entry is None or self.entry.verified:
            return True
        if self.edited:
            return bool(granted.authorized_at or refused.refused_at)  # which sealed records say
        unverified = self.last_use.status if self.last_use else None
        return all(status is not unverified for status in (granted, refused))

    def _in_a_row(self) -> int:
        return max(status.in_a_row for status in (*self.statuses, self.client_status))

    def _retry_at(self) -> float | None:
        """Return from when tasks ask again; ``None`` where they may do so now."""
        known = (*self.statuses, self.client_status)
        # What a person's Authorize met holds up no task, and yet the server has named a time.
        named = ((status.refused_at or 0) + (_retry_after(status) or 0) for status in known)
        ends_at = max(*(status.refused_until for status in known), *named)
        return ends_at if ends_at > time.time() else None

    def _state(self, granted: Status, refused: Status) -> AuthorizationStatus:
        """Decide; a token that is good outweighs a failure that passes, but no refusal for good."""
        authorized_at, refused_at = granted.authorized_at or 0, refused.refused_at or 0
        if not authorized_at and not refused_at:
            return AuthorizationStatus.EDITED if self.edited else AuthorizationStatus.NOT_YET
        good = time.time() < (granted.expires_at or 0)
        if refused.error is None or refused_at < authorized_at or (good and not refused.permanent):
            return AuthorizationStatus.AUTHORIZED
        if self._in_a_row() >= DISABLED_AFTER and refused.permanent:
            return AuthorizationStatus.DISABLED
        return status_of(refused.error)


def _newest_entry(
    sharing: Sharing, conn_id: str, team: str | None, settings: ClientSettings
) -> IndexEntry | None:
    """Return the last use that tasks (who know no team) or the team's people have made."""
    entries = [DisplayIndex(sharing, conn_id, owner).read(settings) for owner in dict.fromkeys((None, team))]
    return max(
        (entry for entry in entries if entry),
        key=lambda entry: entry.last_use.at if entry.last_use else 0,
        default=None,
    )


def _retry_after(status: Status) -> float | None:
    error = status.error
    return error.retry_after if isinstance(error, TokenEndpointError | TransportError) else None


def _refusal(status: Status) -> Refusal | None:
    error = status.error
    if error is None or status.refused_at is None:
        return None
    return Refusal(
        at=status.refused_at,
        reason=reason(error),
        remedy=remedy(error),
        text=error.message,
        error=getattr(error, "error", None),
        status=getattr(error, "status", None),
        description=getattr(error, "description", None),
    )


def _wrong(connection: Any, team: str | None, policy: Policy | None, error: OAuthError) -> Authorization:
    """Return what there is to say of a connection that is wrong."""
    return Authorization(
        conn_id=displayable(str(connection.conn_id)) or "",
        status=AuthorizationStatus.WRONG,
        reason=str(error.for_connection("")),
        team=team,
        description=displayable(getattr(connection, "description", None)),
        category=named_category(connection) or (policy.default_category if policy else None),
        client_id=displayable(getattr(connection, "login", None)),
    )


def named_category(connection: Any) -> str | None:
    """Return the category that a connection names, right or wrong as its settings may be."""
    try:
        named = parse_extra(value_of(connection, "extra")).get("category")
    except (ConfigurationError, FieldError):
        return None
    return displayable(named.strip()) or None if isinstance(named, str) else None


def certificate_expires_at(settings: ClientSettings) -> float | None:
    """Return when the certificate of the client's key ends; ``None`` without one."""
    try:
        certificate = certificate_of(settings.assertion, thorough=False)
    except KeyMaterialError:  # of a custom provider, which alone knows what to do with it
        return None
    return certificate.expires_at if certificate else None
