"""The scheduled check of whether every authorization still works."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    Asset,
    AssetAlias,
    BaseHook,
    BaseOperator,
)

from airflow_oauth_provider.connection.identifier import ids_in_text
from airflow_oauth_provider.exceptions import ConfigurationError, is_definite
from airflow_oauth_provider.protocol.texts import plain
from airflow_oauth_provider.tasks.stoppable_task import StoppableTask

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_oauth_provider.authorizations import CheckResult
    from airflow_oauth_provider.deployment.policy import Policy
    from airflow_oauth_provider.tasks.parameters import TaskParameters

Action = Literal["fail", "warn", "event"]
_ACTIONS = ("fail", "warn", "event")
_ORDER = ("failed", "warning", "ok")


@dataclass(frozen=True)
class _Finding:
    """What the check of one connection has brought, and what deserves a warning about it."""

    result: CheckResult
    warnings: tuple[str, ...]

    @property
    def outcome(self) -> str:
        if not self.result.ok:
            return "failed"
        return "warning" if self.warnings else "ok"

    @property
    def text(self) -> str:
        texts = self.warnings if self.result.ok else (self.result.message.rstrip("."), *self.warnings)
        return "; ".join(texts)

    def report(self) -> dict[str, Any]:
        return self.result.report() | {"outcome": self.outcome, "warnings": list(self.warnings)}


class OAuth2AuthorizationCheckOperator(StoppableTask, BaseOperator):
    """Get a new token for each connection, call its ``probe_path``, and report.

    At most four at once, one retry within 20 s each; a host that has refused a client is asked once a
    second until it grants a token again, and after a refusal that is remembered not at all: a check that
    comes round must not lock an account. The report (no secret in it) is the task's XCom, also when it fails.

    No version of Airflow lets a task list connections, so they are named.

    :param oauth2_conn_ids: connection ids: a list, or text with commas (templated, mappable).
    :param expires_within_days: warn of certificates, and of credentials whose end a person has entered
        (``credential_expires_on``), that end within so many days.
    :param on_failed: what to do when a connection gets no token or its probe fails: ``fail`` the task,
        ``warn`` in its log, or emit an asset ``event``.
    :param on_warning: likewise for less: a certificate that ends soon, a scope that was not granted,
        an unknown key in the connection.
    :param asset_alias: name of the asset alias that events are emitted through, for ``event``: one for
        each connection concerned, on the asset ``oauth2-authorization-<connection id>``, with the
        connection's report as its extra.
    :param oauth2_conn_id: another name for *oauth2_conn_ids*, for one connection.
    :param kwargs: of Airflow's ``BaseOperator``.
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    template_fields: Sequence[str] = ("oauth2_conn_ids",)
    _results: Sequence[CheckResult] = ()
    ui_color = "#e8f4ea"

    def __init__(
        self,
        *,
        oauth2_conn_ids: str | Sequence[str] | None = None,
        oauth2_conn_id: str | None = None,
        expires_within_days: float = 30,
        on_failed: Action = "fail",
        on_warning: Action = "warn",
        asset_alias: str | None = None,
        **kwargs: Unpack[TaskParameters],
    ) -> None:
        if (oauth2_conn_ids is None) == (oauth2_conn_id is None):
            raise ConfigurationError("give either oauth2_conn_ids or oauth2_conn_id", field="oauth2_conn_ids")
        for name, action in (("on_failed", on_failed), ("on_warning", on_warning)):
            if action not in _ACTIONS:
                raise ConfigurationError(f"must be one of {', '.join(_ACTIONS)}", field=name)
        if asset_alias is None and "event" in (on_failed, on_warning):
            raise ConfigurationError("is needed for events", field="asset_alias")
        if asset_alias is not None:
            kwargs["outlets"] = [*(kwargs.get("outlets") or ()), AssetAlias(asset_alias)]
        super().__init__(**kwargs)
        self.oauth2_conn_ids = oauth2_conn_ids if oauth2_conn_ids is not None else oauth2_conn_id
        self.expires_within_days = _days(expires_within_days)
        self.on_failed = on_failed
        self.on_warning = on_warning
        self.asset_alias = asset_alias

    def execute(self, context: Context) -> dict[str, Any]:
        """Check them all.

        :return: the report.
        :raises AirflowFailException: when the task is to fail and repeating it cannot help.
        :raises AirflowException: when the task is to fail and repeating it may help.
        """
        conn_ids, policy = self._read_configuration()
        self._results = self._checked(conn_ids)
        findings = [self._finding(result) for result in self._results]
        report = _report(findings, policy)
        self._log(findings, report)
        self._act(findings, report, context)
        return report

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage:
        """Tell Airflow's OpenLineage provider of the authorizations, also of a failed task.

        :param task_instance: of this task.
        """
        from airflow_oauth_provider.tasks.lineage import authorization_facts, operator_lineage

        return operator_lineage(
            [
                authorization_facts(
                    result.conn_id,
                    result.token_host,
                    None if result.expires_at is None else result.granted,
                )
                for result in self._results
            ]
        )

    def _read_configuration(self) -> tuple[list[str], Policy]:
        """Read what no check can do without, before any."""
        from airflow_oauth_provider.deployment.policy import read_policy

        try:
            conn_ids = _ids(self.oauth2_conn_ids)
            if not conn_ids:
                raise ConfigurationError("names no connection", field="oauth2_conn_ids")
            return conn_ids, read_policy()
        except ConfigurationError as error:
            raise AirflowFailException(str(error)) from error

    def _checked(self, conn_ids: list[str]) -> list[CheckResult]:
        from airflow_oauth_provider.authorizations import Target, check_all
        from airflow_oauth_provider.client.masking import airflow_channel

        with airflow_channel:
            targets = [Target.read(conn_id, BaseHook.get_connection) for conn_id in conn_ids]
        self.log.info("Checking %d connections", len(targets))
        return check_all(targets, stop=self._stop)

    def _finding(self, result: CheckResult) -> _Finding:
        from airflow_oauth_provider.authorizations.times import expiry_warnings

        warnings = list(result.warnings)
        if result.not_granted:
            warnings.append(f"asked for, but not granted: {' '.join(result.not_granted)}")
        ends = (result.certificate_expires_at, result.credential_expires_at)
        warnings += expiry_warnings(*ends, self.expires_within_days)
        return _Finding(result, tuple(warnings))

    def _log(self, findings: list[_Finding], report: dict[str, Any]) -> None:
        """Log the table of the command, failures first, and a line for each that is not as it should be."""
        from airflow_oauth_provider.authorizations.summary import aligned, checked_row

        ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.outcome))
        rows = [
            checked_row(finding.result, outcome=finding.outcome, within_days=self.expires_within_days)
            for finding in ordered
        ]
        counts = f"{report['failed']} failed, {report['with_warnings']} with warnings"
        self.log.info("%d connections checked, %s:\n%s", len(findings), counts, aligned(rows))
        for note in report["notes"]:
            self.log.info("%s", plain(note))
        for finding in ordered:
            if finding.outcome != "ok":
                log = self.log.error if self._action(finding) == "fail" else self.log.warning
                log('Connection "%s": %s', plain(finding.result.conn_id), plain(finding.text))

    def _act(self, findings: list[_Finding], report: dict[str, Any], context: Context) -> None:
        failing = []
        for finding in findings:
            action = self._action(finding)
            if action == "fail":
                failing.append(finding)
            elif action == "event":
                self._emit(finding, context)
        if failing:
            if self.do_xcom_push:
                # What a task returns is lost when it fails.
                context["ti"].xcom_push(key="return_value", value=report)
            raise _failure(failing, len(findings))

    def _action(self, finding: _Finding) -> Action | None:
        return {"failed": self.on_failed, "warning": self.on_warning}.get(finding.outcome)

    def _emit(self, finding: _Finding, context: Context) -> None:
        asset = Asset(f"oauth2-authorization-{finding.result.conn_id}")
        events = context["outlet_events"][AssetAlias(str(self.asset_alias))]
        events.add(asset, extra=_extra(finding.report()))


def _report(findings: list[_Finding], policy: Policy) -> dict[str, Any]:
    from airflow_oauth_provider.authorizations import deployment_warnings

    outcomes = [finding.outcome for finding in findings]
    return {
        "ok": "failed" not in outcomes,
        "checked": len(findings),
        "failed": outcomes.count("failed"),
        "with_warnings": outcomes.count("warning"),
        "connections": [finding.report() for finding in findings],
        "notes": list(deployment_warnings(policy)),
    }


def _extra(report: dict[str, Any]) -> dict[str, Any]:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

    if AIRFLOW_V_3_1_PLUS:
        return report
    # Airflow 3.0 loses events that have lists or objects in their extra.
    return {
        name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in report.items()
    }


def _failure(failing: list[_Finding], checked: int) -> AirflowException:
    reasons = " | ".join(plain(f"{finding.result.conn_id}: {finding.text}") for finding in failing)
    text = f"{len(failing)} of {checked} authorizations need attention. {reasons}"
    errors = [finding.result.error for finding in failing if finding.result.error is not None]
    definite = all(is_definite(error) for error in errors)
    failure = AirflowFailException(text) if definite else AirflowException(text)
    if len(errors) == 1:
        failure.__cause__ = errors[0]
    return failure


def _days(value: object) -> float:
    from airflow_oauth_provider.connection.parsing import FieldError, number

    try:
        days = number(value)
    except FieldError as error:
        raise ConfigurationError(str(error), field="expires_within_days") from None
    if days < 0:
        raise ConfigurationError("must not be negative", field="expires_within_days")
    return days


def _ids(value: object) -> list[str]:
    """Read ids from a list, or from text: a template that yields a list yields its text.

    :raises ConfigurationError: for anything else.
    """
    if isinstance(value, str):
        return ids_in_text(value)
    conn_ids: list[Any] = list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(conn_id, str) for conn_id in conn_ids):
        raise ConfigurationError(
            "must be connection ids: a list, or text with commas", field="oauth2_conn_ids"
        )
    return list(dict.fromkeys(conn_id.strip() for conn_id in conn_ids if conn_id.strip()))
