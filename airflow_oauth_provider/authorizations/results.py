"""The result of authorizing or checking one connection; holds nothing secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.authorizations.clamping import LONGEST_REASON, clamp
from airflow_oauth_provider.authorizations.remedies import code, reason, remedy
from airflow_oauth_provider.authorizations.steps import step_report
from airflow_oauth_provider.authorizations.times import iso, utc
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError
from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError
from airflow_oauth_provider.protocol.error_record import to_dict
from airflow_oauth_provider.protocol.token.claims import Claims
from airflow_oauth_provider.tokens.records import concerns_others
from airflow_oauth_provider.transport.steps import Step


@dataclass(frozen=True)
class CheckResult:
    """Facts about a new token, or the error that was met instead of one.

    :param credential_source: where secret or key come from; ``None`` for the connection itself.
    :param sender_constraint: by what tokens are bound to the client; ``None`` for nothing.
    :param error: ``None`` when all went well. With *expires_at* set, a token was granted and the
        probe failed.
    :param expires_at: of the token (seconds since the epoch); *lifetime* in seconds.
    :param granted: its scopes; *missing* those asked for and not granted; *scopes_stated* whether the
        server named its scopes, else they are as asked.
    :param details: as of :class:`Authorization`, like *missing_details*.
    :param probe: what calling ``probe_path`` came to; ``None`` without one.
    :param certificate_expires_at: of the client's certificate, if there is one.
    :param credential_expires_at: of secret or key, as a person has entered it.
    :param unusual: in what the connection deviates from the standards, by its fields.
    :param claims: what the token says of itself, where somebody wants to see it; nobody has verified it.
    :param steps: what was done, one after the other, where somebody wants to see it.
    :param seconds: it took.
    """

    conn_id: str
    category: str | None = None
    token_host: str | None = None
    credential_source: str | None = None
    sender_constraint: str | None = None
    error: OAuthError | None = None
    expires_at: float | None = None
    lifetime: float | None = None
    granted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    scopes_stated: bool = True
    details: tuple[str, ...] | None = None
    missing_details: tuple[str, ...] = ()
    probe: str | None = None
    certificate_expires_at: float | None = None
    credential_expires_at: float | None = None
    warnings: tuple[str, ...] = field(default=())
    unusual: tuple[str, ...] = ()
    claims: Claims | None = None
    steps: tuple[Step, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there was no error."""
        return self.error is None

    @property
    def not_granted(self) -> tuple[str, ...]:
        """Whatever was asked for and not granted: scopes, and types of rich requests."""
        return (*self.missing, *self.missing_details)

    @property
    def message(self) -> str:
        """One line for people: until when, or why not, cut, and what to do; :meth:`report` has all."""
        if self.error is not None:
            return f"{clamp(reason(self.error), LONGEST_REASON)}. {remedy(self.error)}"
        less = f" Asked for, but not granted: {' '.join(self.not_granted)}." if self.not_granted else ""
        bound = f", bound to a key ({self.sender_constraint})" if self.sender_constraint else ""
        return (
            f"Authorized until {utc(self.expires_at)}{bound}.{less}{f' {self.probe}' if self.probe else ''}"
        )

    @property
    def headline(self) -> str:
        """A few words for where a display has the rest: the error's code, and no advice."""
        if self.error is None:
            return self.message
        if isinstance(self.error, TokenEndpointError):
            return f"Not authorized: {code(self.error)}"
        return "Not authorized" if self.displayed else f"Not authorized: {reason(self.error)}"

    @property
    def displayed(self) -> bool:
        """Whether displays show the error as the connection's last refusal."""
        return self.error is not None and concerns_others(self.error)

    def report(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "conn_id": self.conn_id,
            "ok": self.ok,
            "message": reason(self.error) if self.error else self.message,
            "category": self.category,
            "token_host": self.token_host,
            "credential_source": self.credential_source,
            "sender_constraint": self.sender_constraint,
            "expires_at": iso(self.expires_at),
            "lifetime": self.lifetime,
            "scopes": list(self.granted),
            "missing_scopes": list(self.missing),
            "scopes_stated": self.scopes_stated,
            "details": None if self.details is None else list(self.details),
            "missing_details": list(self.missing_details),
            "probe": self.probe,
            "certificate_expires_at": iso(self.certificate_expires_at),
            "credential_expires_at": iso(self.credential_expires_at),
            "warnings": list(self.warnings),
            "unusual": list(self.unusual),
            "error": error_report(self.error) if self.error else None,
            "seconds": round(self.seconds, 3),
            **({"claims": self.claims.report()} if self.claims else {}),
            **({"steps": [step_report(step) for step in self.steps]} if self.steps else {}),
        }


def error_report(error: OAuthError) -> dict[str, Any]:
    """Return an error as JSON has it."""
    record = to_dict(error)
    return {
        "type": record["type"],
        "message": error.message,
        "remedy": remedy(error),
        **{name: record.get(name) for name in ("error", "status", "field", "retry_after")},
        "retryable": error.retryable,
        **({"wrong": dict(error.wrong)} if isinstance(error, WrongFieldsError) else {}),
    }
