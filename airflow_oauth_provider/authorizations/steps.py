"""The steps of an acquisition, as page and commands show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.authorizations.times import iso, utc
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.access_token import AS_ASKED
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.texts import cut, plain
from airflow_oauth_provider.transport.steps import Step, StepName, Trace

if TYPE_CHECKING:
    from airflow_oauth_provider.authorizations.results import CheckResult

LONGEST = 500
"""Characters of what a step says."""
MOST_ADDRESSES = 8
STEP_LABELS: Mapping[StepName, str] = MappingProxyType(
    {
        StepName.SETTINGS: "Settings read",
        StepName.ASSERTION: "Assertion read",
        StepName.PROXY: "Proxy",
        StepName.RESOLVE: "Name resolved",
        StepName.CONNECT: "Connected",
        StepName.TUNNEL: "Tunnel through the proxy",
        StepName.TLS: "TLS",
        StepName.DISCOVERY: "Discovery",
        StepName.REQUEST: "Token request",
        StepName.PROVIDER: "Custom provider",
        StepName.PAUSE: "Pause",
        StepName.TOKEN: "Token",
        StepName.SCOPES: "Scopes",
        StepName.PROBE: "Probe",
    }
)


def note_granted(trace: Trace | None, result: CheckResult) -> None:
    """Record what was granted against what was asked for.

    :param result: of a check that has a token.
    """
    if trace is None:
        return
    if all(step.name is not StepName.TOKEN for step in trace.steps()):
        trace.add(
            Step(StepName.TOKEN, host=result.token_host, text="another search, under way already, brought it")
        )
    stated = "" if result.scopes_stated or not result.granted else f" ({AS_ASKED})"
    granted = f"granted: {' '.join(result.granted) or 'none named'}{stated}"
    missing = f"; not granted: {' '.join(result.not_granted)}" if result.not_granted else ""
    trace.add(Step(StepName.SCOPES, text=granted + missing))


def displayed_steps(
    trace: Trace | None, error: OAuthError | None, redactor: Redactor = NOTHING
) -> tuple[Step, ...]:
    """Return the steps of a check for people: redacted, cleaned and cut.

    :param trace: ``None`` where nothing was recorded.
    :param error: that the check ended with.
    """
    return tuple(_displayed(step, redactor) for step in trace.steps(error)) if trace else ()


def _displayed(step: Step, redactor: Redactor) -> Step:
    def text_of(text: str) -> str:
        return cut(plain(redactor.text(text)), LONGEST)

    return replace(
        step,
        host=None if step.host is None else text_of(step.host),
        text=text_of(step.text),
        addresses=step.addresses[:MOST_ADDRESSES],
    )


def step_text(step: Step) -> str:
    """Return what there is to say of a step, on one line; of addresses nothing."""
    ends = f"the server's certificates are good until {utc(step.chain_ends_at)}" if step.chain_ends_at else ""
    return "; ".join(filter(None, (step.text, ends)))


def step_report(step: Step) -> dict[str, Any]:
    """Return a step as JSON has it."""
    return {
        "step": step.name.value,
        "ok": step.ok,
        "host": step.host,
        "text": step.text,
        "addresses": list(step.addresses),
        "chain_ends_at": iso(step.chain_ends_at),
        "seconds": round(step.seconds, 4),
    }
