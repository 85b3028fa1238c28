"""The scheduled check of whether every authorization still works."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
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
from airflow_oauth_provider.tasks.arguments import Arguments
from airflow_oauth_provider.tasks.stoppable_task import StoppableTask

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_oauth_provider.authorizations import CheckResult, Target
    from airflow_oauth_provider.authorizations.changes import Changes
    from airflow_oauth_provider.authorizations.findings import Finding
    from airflow_oauth_provider.deployment.policy import Policy
    from airflow_oauth_provider.tasks.parameters import TaskParameters

Action = Literal["fail", "warn", "event"]
_ACTIONS = ("fail", "warn", "event")


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
    :param on_warning: likewise for less: a certificate or credential that ends soon, a scope that was not
        granted, an unknown key in the connection.
    :param only_changes: fail for what is new since the last run of this task, and not again for what it has
        failed for already. What it has found is remembered in the token store.
    :param remind_after_days: after so many days what is still wrong counts as new again; 0 for never.
    :param asset_alias: name of the asset alias that events are emitted through, for ``event``: one for
        each connection of which something is new, or which has recovered, on the asset
        ``oauth2-authorization-<connection id>``, with the connection's report as its extra.
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
        only_changes: bool = False,
        remind_after_days: float = 7,
        asset_alias: str | None = None,
        **kwargs: Unpack[TaskParameters],
    ) -> None:
        if (oauth2_conn_ids is None) == (oauth2_conn_id is None):
            raise ConfigurationError("give either oauth2_conn_ids or oauth2_conn_id", field="oauth2_conn_ids")
        for name, action in (("on_failed", on_failed), ("on_warning", on_warning)):
            if action not in _ACTIONS:
                raise ConfigurationError(f"must be one of {', '.join(_ACTIONS)}", field=name)
        Arguments(None).flag("only_changes", only_changes)
        if asset_alias is None and "event" in (on_failed, on_warning):
            raise ConfigurationError("is needed for events", field="asset_alias")
        if asset_alias is not None:
            kwargs["outlets"] = [*(kwargs.get("outlets") or ()), AssetAlias(asset_alias)]
        super().__init__(**kwargs)
        self.oauth2_conn_ids = oauth2_conn_ids if oauth2_conn_ids is not None else oauth2_conn_id
        self.expires_within_days = _days(expires_within_days, "expires_within_days")
        self.only_changes = only_changes
        self.remind_after_days = _days(remind_after_days, "remind_after_days")
        self.on_failed = on_failed
        self.on_warning = on_warning
        self.asset_alias = asset_alias

    def execute(self, context: Context) -> dict[str, Any]:
        """Check them all.

        :return: the report.
        :raises AirflowFailException: when the task is to fail and repeating it cannot help.
        :raises AirflowException: when the task is to fail and repeating it may help.
        """
        from airflow_oauth_provider.authorizations.findings import Finding, report_of

        conn_ids, policy = self._read_configuration()
        targets = self._targets(conn_ids)
        self._results = self._checked(targets)
        changes = self._changes(policy, context)
        findings = [
            Finding.of(target, result, changes, self.expires_within_days)
            for target, result in zip(targets, self._results, strict=True)
        ]
        report = report_of(findings, policy)
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

    def _targets(self, conn_ids: list[str]) -> list[Target]:
        from airflow_oauth_provider.authorizations import Target
        from airflow_oauth_provider.client.airflow_warnings import without_false_alarm
        from airflow_oauth_provider.client.masking import airflow_channel

        with airflow_channel, without_false_alarm():
            return [Target.read(conn_id, BaseHook.get_connection) for conn_id in conn_ids]

    def _checked(self, targets: list[Target]) -> list[CheckResult]:
        from airflow_oauth_provider.authorizations import check_all

        self.log.info("Checking %s", _connections(len(targets)))
        return check_all(targets, stop=self._stop)

    def _changes(self, policy: Policy, context: Context) -> Changes:
        """Return what this task remembers; a retry of its run compares with the run before."""
        from airflow_oauth_provider.authorizations.changes import Changes

        ti: Any = context["ti"]
        checker = f"{getattr(ti, 'dag_id', '')}\0{self.task_id}"
        run = str(getattr(ti, "run_id", None) or uuid.uuid4())
        return Changes(policy, checker, run, remind_after=self.remind_after_days)

    def _log(self, findings: list[Finding], report: dict[str, Any]) -> None:
        """Log the table of the command, failures first, and a line for each that is not as it should be."""
        from airflow_oauth_provider.authorizations.findings import table, worst_first

        counts = f"{report['failed']} failed, {report['with_warnings']} with warnings"
        rows = table(findings, self.expires_within_days)
        self.log.info("%s checked, %s:\n%s", _connections(len(findings)), counts, rows)
        for note in report["notes"]:
            self.log.info("%s", plain(note))
        for finding in worst_first(findings):
            if finding.outcome != "ok":
                log = self.log.error if self._action(finding) == "fail" else self.log.warning
            elif finding.is_news:
                log = self.log.info
            else:
                continue
            log('Connection "%s": %s', plain(finding.result.conn_id), plain(finding.line))

    def _act(self, findings: list[Finding], report: dict[str, Any], context: Context) -> None:
        failing = [
            finding
            for finding in findings
            if self._action(finding) == "fail" and (finding.is_news or not self.only_changes)
        ]
        events = [finding for finding in findings if self._is_event(finding)]
        for finding in findings:
            # A task that fails emits no event: what it would have told is new for its next run, too.
            if not (failing and finding in events):
                finding.change.remember()
        if failing:
            if self.do_xcom_push:
                # What a task returns is lost when it fails.
                context["ti"].xcom_push(key="return_value", value=report)
            raise _failure(failing, len(findings))
        for finding in events:
            self._emit(finding, context)

    def _is_event(self, finding: Finding) -> bool:
        if finding.outcome == "ok":
            return finding.is_news and "event" in (self.on_failed, self.on_warning)
        return finding.is_news and self._action(finding) == "event"

    def _action(self, finding: Finding) -> Action | None:
        return {"failed": self.on_failed, "warning": self.on_warning}.get(finding.outcome)

    def _emit(self, finding: Finding, context: Context) -> None:
        asset = Asset(f"oauth2-authorization-{finding.result.conn_id}")
        events = context["outlet_events"][AssetAlias(str(self.asset_alias))]
        events.add(asset, extra=_extra(finding.report()))


def _extra(report: dict[str, Any]) -> dict[str, Any]:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

    if AIRFLOW_V_3_1_PLUS:
        return report
    # Airflow 3.0 loses events that have lists or objects in their extra.
    return {
        name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in report.items()
    }


def _failure(failing: list[Finding], checked: int) -> AirflowException:
    reasons = " | ".join(plain(f"{finding.result.conn_id}: {finding.text}") for finding in failing)
    text = f"{len(failing)} of {checked} authorizations need attention. {reasons}"
    errors = [finding.result.error for finding in failing if finding.result.error is not None]
    definite = all(is_definite(error) for error in errors)
    failure = AirflowFailException(text) if definite else AirflowException(text)
    if len(errors) == 1:
        failure.__cause__ = errors[0]
    return failure


def _days(value: object, name: str) -> float:
    from airflow_oauth_provider.connection.parsing import FieldError, number

    try:
        days = number(value)
    except FieldError as error:
        raise ConfigurationError(str(error), field=name) from None
    if days < 0:
        raise ConfigurationError("must not be negative", field=name)
    return days


def _connections(count: int) -> str:
    return f"{count} connection{'' if count == 1 else 's'}"


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
