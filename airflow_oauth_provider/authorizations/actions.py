"""Authorize one connection, check one, forget what is known of one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from airflow_oauth_provider.authorizations.description import certificate_expires_at
from airflow_oauth_provider.authorizations.discovered import discovered_hosts_warning
from airflow_oauth_provider.authorizations.history import History
from airflow_oauth_provider.authorizations.remedies import reason
from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.authorizations.settings import unusual_settings
from airflow_oauth_provider.authorizations.steps import displayed_steps, note_granted
from airflow_oauth_provider.authorizations.unforeseen import unforeseen
from airflow_oauth_provider.authorizations.values import ConnectionValues, team_of
from airflow_oauth_provider.client import report
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.client.token_services import TokenServices
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.private_token import details_of
from airflow_oauth_provider.protocol.token.authorization_details import displayed, not_granted
from airflow_oauth_provider.protocol.token.claims import Claims, claims_of
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.transport.steps import StepName, Trace, observed, recording
from airflow_oauth_provider.transport.stopping import NEVER, Stop


def authorize(connection: Any) -> CheckResult:
    """Get a new token now, whatever refusals are remembered, as Airflow's Test does: at most 10 s.

    Then calls ``probe_path``, where ``allowed_api_hosts`` lists its host. A token replaces the shared
    one; a refusal is remembered for displays only.

    :param connection: saved under its id; of the Task SDK or of the database model.
    """
    trace = Trace()
    check = prepared_check(connection, "authorized", trace=trace)
    if isinstance(check, CheckResult):
        return check
    return check.run(lambda: check.client.authorize(saved=True), listed_only=True)


def forget(connection: Any) -> None:
    """Forget the token and every outcome that is remembered, in the store and in this process.

    Other processes go on with a token that they hold until it ends.

    :raises ConfigurationError: when the connection is wrong: then nobody can say which token is its own.
    """
    sharing = read_policy().sharing
    conn_id = str(connection.conn_id)
    report.forget(conn_id)
    for team in dict.fromkeys((None, team_of(connection))):
        DisplayIndex(sharing, conn_id, team).forget()
    OAuth2Client(conn_id, ConnectionValues.of(connection)).forget()


def revoke(connection: Any, endpoint: str | None) -> bool:
    """Take the token out of use, and revoke it at the authorization server.

    :param endpoint: URL of the revocation endpoint.
    :return: false when no token is kept: there was nothing to revoke.
    :raises OAuthError: as :meth:`OAuth2Hook.revoke` does.
    """
    client = OAuth2Client(str(connection.conn_id), ConnectionValues.of(connection))
    return TokenServices(client).revoke(None, endpoint)


@dataclass(frozen=True)
class ConnectionCheck:
    """The check of one connection, read and resolved: what follows needs nothing of Airflow.

    :param facts: what is known before anything is asked.
    :param trace: records the steps; ``None`` where nobody wants to see them, nor what the token says.
    """

    client: OAuth2Client
    facts: CheckResult
    trace: Trace | None = None

    @classmethod
    def of(
        cls, connection: Any, *, masks: bool = True, stop: Stop = NEVER, trace: Trace | None = None
    ) -> ConnectionCheck:
        """Resolve a connection, in the caller's thread.

        :param masks: as of :class:`OAuth2Client`.
        :param stop: ends every wait when the task is being killed.
        :raises ConfigurationError: when the connection is wrong.
        """
        with observed(trace), recording(StepName.SETTINGS) as step:
            values = ConnectionValues.of(connection)
            client = OAuth2Client(values.conn_id, values, masks=masks)
            client.stop = stop
            settings = client.settings
            step.note(f"{settings.auth_method}, {settings.server}")
        facts = CheckResult(
            values.conn_id,
            category=settings.category,
            token_host=settings.server.origin.authority,
            credential_source=settings.credential_source,
            sender_constraint=settings.sender_constraint,
            certificate_expires_at=certificate_expires_at(settings),
            credential_expires_at=settings.credential_expires_at,
            warnings=client.warnings,
            unusual=unusual_settings(values),
        )
        return cls(client, facts, trace)

    def check(self, *, listed_only: bool = False) -> CheckResult:
        """Get a new token as a scheduled check does, and call ``probe_path``.

        :param listed_only: as of :meth:`OAuth2Hook.probe`.
        """
        result = self.run(self.client.check, listed_only=listed_only)
        with suppress(Exception):  # a display's affair, and nothing of the check
            History(self.client.conn_id, self.client.settings, self.client.sharing).timeline()
        return result

    def run(self, acquire: Callable[[], AccessToken], *, listed_only: bool) -> CheckResult:
        """Get a token and call ``probe_path``.

        :param listed_only: as of :meth:`OAuth2Hook.probe`.
        """
        began, result = time.monotonic(), self.facts
        try:
            with observed(self.trace):
                token = acquire()
                result = self._granted(token)
                note_granted(self.trace, result)
                result = replace(result, probe=self._probe(token, listed_only=listed_only))
        except OAuthError as error:
            result = replace(result, error=error)
        except Exception as error:  # nobody's check may end with what one connection brings up
            result = replace(result, error=unforeseen(error, result.conn_id, "checked"))
        steps = displayed_steps(self.trace, result.error, self.client.redactor)
        return replace(self._with_hosts(result), steps=steps, seconds=time.monotonic() - began)

    def _with_hosts(self, result: CheckResult) -> CheckResult:
        """Warn of hosts that the issuer's metadata names, which are known by now."""
        client = self.client
        warning = discovered_hosts_warning(client.settings, client.sharing)
        return replace(result, warnings=(*result.warnings, warning)) if warning else result

    def _granted(self, token: AccessToken) -> CheckResult:
        requested, details = self.client.settings.request, details_of(token)
        return replace(
            self.facts,
            expires_at=token.expires_at,
            lifetime=token.lifetime,
            granted=tuple(sorted(token.scopes)),
            missing=tuple(scope for scope in requested.scope if scope not in token.scopes),
            scopes_stated=token.scopes_stated,
            details=displayed(details) or None,
            missing_details=not_granted(requested.rich_requests, details),
            claims=self._claims(token) if self.trace else None,
        )

    def _claims(self, token: AccessToken) -> Claims:
        return claims_of(token.value, self.client.redactor.with_values(token.value))

    def _probe(self, token: AccessToken, *, listed_only: bool) -> str | None:
        if self.client.settings.api.probe_path is None:
            return None
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        try:
            with recording(StepName.PROBE) as step:
                probed = OAuth2Hook.using(self.client).probe(token, listed_only=listed_only)
                step.note(str(probed or ""))
        except OAuthError as error:
            self._record_probe(reason(error), ok=False)
            raise
        if probed is not None and probed.sent:
            self._record_probe(probed.text, ok=True)
        return probed.text if probed else None

    def _record_probe(self, text: str, *, ok: bool) -> None:
        """Keep what the probe came to; displays find it by the connection's name and team."""
        client = self.client
        team = getattr(client.reader.connection, "team", None)
        index = DisplayIndex(client.reader.sharing, self.facts.conn_id, team)
        index.record_probe(client.settings, ok=ok, text=text)


def prepared_check(
    connection: Any, verb: str, *, masks: bool = True, stop: Stop = NEVER, trace: Trace | None = None
) -> ConnectionCheck | CheckResult:
    """Return the check of a connection; of one that is wrong the result.

    :param verb: what else becomes of the connection: "authorized", "checked".
    """
    conn_id = str(connection.conn_id)
    try:
        return ConnectionCheck.of(connection, masks=masks, stop=stop, trace=trace)
    except ConfigurationError as error:
        wrong: OAuthError = error
    except Exception as error:  # whatever it is, the person sees a result, and the others are checked
        wrong = unforeseen(error, conn_id, verb)
    return CheckResult(conn_id, error=wrong, steps=displayed_steps(trace, wrong))
