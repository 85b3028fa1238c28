"""The scheduled check: outcomes, what is done about them, and the report."""

from __future__ import annotations

import base64
import json
import logging
import shutil
import sqlite3
import threading
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import airflow.sdk
import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AssetAlias

from airflow_oauth_provider.authorizations import authorize
from airflow_oauth_provider.authorizations.actions import ConnectionCheck
from airflow_oauth_provider.client import report
from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError
from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.demo.dag_runs import EXAMPLES, AirflowHome
from tests.demo.orders import OrdersServer
from tests.support.servers.certificates import pkcs12
from tests.support.servers.mail_server import MailServer
from tests.support.servers.scripted import Json, Silent, token_json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch
from tests.system.test_example_dags import needs_dag_test

pytestmark = pytest.mark.airflow


@pytest.fixture(autouse=True)
def _connections(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    report.reset()
    monkeypatch.setenv("AIRFLOW_CONN_GOOD", service.environment(scope="good"))
    monkeypatch.setenv("AIRFLOW_CONN_LESS", service.environment(scope="less more"))
    monkeypatch.setenv("AIRFLOW_CONN_BAD", service.environment(scope="bad", login="unknown"))
    service.token = lambda request: (
        Json({"error": "invalid_client", "error_description": "a-client-secret is wrong"}, 401)
        if b"bad" in request.body
        else token_json(scope="less")
        if b"less" in request.body
        else token_json()
    )


class Task:
    """What a check sees of its task instance.

    :param run_id: of its run; retries have the same.
    """

    def __init__(self, run_id: str | None = None) -> None:
        self.dag_id, self.run_id = "checks", run_id
        self.pushed: dict[str, Any] = {}
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.context: Any = {"ti": self, "outlet_events": self}
        self._alias = ""

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def __getitem__(self, alias: AssetAlias) -> Task:
        self._alias = alias.name
        return self

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        self.events.append((self._alias, asset.name, extra))


def check(conn_ids: Any, *, task: Task | None = None, **arguments: Any) -> dict[str, Any]:
    operator = OAuth2AuthorizationCheckOperator(task_id="check", oauth2_conn_ids=conn_ids, **arguments)
    report: dict[str, Any] = operator.execute((task or Task()).context)
    return report


class TestOutcomes:
    """Ok, warning, failed."""

    def test_ok(self) -> None:
        report = check(["good"])
        assert (report["ok"], report["checked"], report["failed"], report["with_warnings"]) == (True, 1, 0, 0)
        (finding,) = report["connections"]
        assert (finding["outcome"], finding["scopes"], finding["lifetime"]) == ("ok", ["good"], 3600)

    def test_a_scope_that_was_not_granted(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            report = check(["good", "less"])
        assert [row["outcome"] for row in report["connections"]] == ["ok", "warning"]
        assert report["ok"]
        assert "asked for, but not granted: more" in str(report["connections"][1]["warnings"])

    @pytest.mark.parametrize(
        "days, says",
        [
            pytest.param(12, "ends in 12 days", id="soon"),
            pytest.param(60, None, id="later"),
            pytest.param(-1, "no longer valid", id="over"),
        ],
    )
    def test_certificates(
        self, days: int, says: str | None, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends = datetime.now(UTC) + timedelta(days=days)
        given = service.environment(
            password=None,
            auth_method="private_key_jwt",
            private_key=base64.b64encode(pkcs12(b"a passphrase", not_after=ends)).decode(),
            private_key_passphrase="a passphrase",
        )
        monkeypatch.setenv("AIRFLOW_CONN_KEYED", given)
        (finding,) = check(["keyed"])["connections"]
        assert finding["outcome"] == ("warning" if says else "ok")
        assert says is None or says in finding["warnings"][0]

    @pytest.mark.parametrize(
        ("days", "says"),
        [
            pytest.param(12, "the credential ends on", id="soon"),
            pytest.param(60, None, id="later"),
            pytest.param(-1, "the credential was to end on", id="over"),
        ],
    )
    def test_the_end_that_a_person_has_entered(
        self, days: int, says: str | None, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends = f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"
        monkeypatch.setenv("AIRFLOW_CONN_DATED", service.environment(credential_expires_on=ends))
        (finding,) = check(["dated"])["connections"]
        assert finding["outcome"] == ("warning" if says else "ok")
        assert finding["credential_expires_at"] == f"{ends}T00:00:00+00:00"
        assert [warning[: len(says or "")] for warning in finding["warnings"]] == ([says] if says else [])

    @pytest.mark.fault("F17")
    def test_a_connection_that_is_missing(self) -> None:
        with pytest.raises(AirflowFailException, match="no such connection; the environment has good"):
            check(["good", "goood"])

    def test_the_probe(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_PROBED", service.environment(probe_path="/health"))
        assert check(["probed"])["connections"][0]["probe"] == "The probe answered HTTP status 200."
        service.api = lambda _: Json({}, 503)
        with pytest.raises(AirflowException) as caught:
            check(["probed"])
        assert not isinstance(caught.value, AirflowFailException), "a busy API may be well again soon"


@pytest.mark.fault("F49")
class TestLog:
    """The command's table, failures first, and one line for each that is not as it should be."""

    @pytest.fixture
    def lines(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
        """Level and text of each line; where a task logs to differs between versions of Airflow."""
        recorded: list[tuple[str, str]] = []

        class Recorder:
            def __getattr__(self, level: str) -> Any:
                return lambda text, *values: recorded.append((level, text % values))

        monkeypatch.setattr(OAuth2AuthorizationCheckOperator, "log", Recorder())
        return recorded

    def test_one_is_no_plural(self, lines: list[tuple[str, str]]) -> None:
        check(["good"])
        texts = [text.partition("\n")[0] for _, text in lines]
        assert "Checking 1 connection" in texts
        assert "1 connection checked, 0 failed, 0 with warnings:" in texts

    def test_a_table_and_a_line_each(self, lines: list[tuple[str, str]]) -> None:
        with pytest.raises(AirflowFailException):
            check(["good", "less", "bad"])
        ((level, table),) = (line for line in lines if "connections checked" in line[1])
        assert level == "info"
        summary, head, rule, *rows = table.splitlines()
        assert summary == "3 connections checked, 1 failed, 1 with warnings:"
        assert [name.strip() for name in head.split("|")] == ["name", "category", "result", "message"]
        assert set(rule) == {"=", "+"}
        assert [row.split("|")[0].strip() for row in rows] == ["bad", "less", "good"]
        assert {row.index("|") for row in (head, *rows)} == {head.index("|")}
        assert "**failed**" not in table
        assert [(level, text[:18]) for level, text in lines if text.startswith("Connection ")] == [
            ("error", 'Connection "bad": '),
            ("warning", 'Connection "less":'),
        ]

    def test_only_a_warning_where_nothing_fails(self, lines: list[tuple[str, str]]) -> None:
        check(["bad"], on_failed="warn")
        assert [level for level, text in lines if text.startswith('Connection "bad"')] == ["warning"]


class TestActions:
    """Fail, warn, or emit an event."""

    @pytest.mark.fault("L25")
    def test_a_wrong_secret_fails_without_retries_and_locks_no_account(self, service: Service) -> None:
        for _ in range(6):
            task = Task()
            with pytest.raises(AirflowFailException, match="1 of 2 authorizations need attention") as caught:
                check(["good", "bad"], task=task)
            assert isinstance(caught.value.__cause__, InvalidClientError)
            assert task.pushed["return_value"]["failed"] == 1, "the report is kept"
            shared.clear()  # as a later run in another process
        assert sum(b"bad" in request.body for request in service.token_requests) == 1

    def test_a_busy_server_leaves_the_retries_to_the_task(self, service: Service) -> None:
        service.token = lambda _: Json({}, 503)
        with pytest.raises(AirflowException) as caught:
            check(["good"])
        assert not isinstance(caught.value, AirflowFailException)
        assert len(service.token_requests) == 2

    def test_a_broken_configuration_fails_at_once_and_asks_nobody(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "a b/")
        with pytest.raises(AirflowFailException, match="allowed_token_hosts"):
            check(["good"])
        assert service.token_requests == []

    def test_no_report_where_none_is_wanted(self) -> None:
        task = Task()
        with pytest.raises(AirflowFailException):
            check(["bad"], task=task, do_xcom_push=False)
        assert task.pushed == {}

    def test_no_id_forges_a_line_of_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        forged = "a\n2026-01-01 INFO all is well\x1b[31m"
        with caplog.at_level(logging.INFO):
            check([forged], on_failed="warn")
        with pytest.raises(AirflowFailException) as caught:
            check([forged])
        messages = [record.getMessage() for record in caplog.records if "|" not in record.getMessage()]
        for text in (*messages, str(caught.value)):
            assert "\n" not in text
        assert "\x1b" not in caplog.text + str(caught.value)

    def test_an_unforeseen_error_does_not_lose_the_report(self, monkeypatch: pytest.MonkeyPatch) -> None:
        check_one = ConnectionCheck.check

        def broken(check: ConnectionCheck) -> Any:
            return 1 / 0 if check.facts.conn_id == "less" else check_one(check)

        monkeypatch.setattr(ConnectionCheck, "check", broken)
        task = Task()
        with pytest.raises(AirflowFailException, match=r"less: cannot be checked \(ZeroDivisionError\)"):
            check(["good", "less"], task=task)
        report = task.pushed["return_value"]
        assert [row["outcome"] for row in report["connections"]] == ["ok", "failed"]

    def test_warn_only(self, caplog: pytest.LogCaptureFixture) -> None:
        report = check(["bad"], on_failed="warn")
        assert not report["ok"]

    def test_warnings_that_fail(self) -> None:
        with pytest.raises(AirflowFailException, match="not granted: more"):
            check(["less"], on_warning="fail")

    def test_events(self) -> None:
        task = Task()
        check(["good", "less", "bad"], task=task, on_failed="event", on_warning="event", asset_alias="auth")
        assert [(alias, name, extra["outcome"]) for alias, name, extra in task.events] == [
            ("auth", "oauth2-authorization-less", "warning"),
            ("auth", "oauth2-authorization-bad", "failed"),
        ]


class TestChanges:
    """What was reported is not reported again, and nothing that is new is lost."""

    def test_it_fails_once_for_what_lasts(self) -> None:
        with pytest.raises(AirflowFailException):
            check(["good", "bad"], only_changes=True)
        report = check(["good", "bad"], only_changes=True)
        assert (report["failed"], report["changes"]) == (1, [])
        with pytest.raises(AirflowFailException, match="1 of 2"):
            check(["good", "bad"])

    def test_a_retry_does_not_turn_a_failure_into_a_success(self) -> None:
        check(["good"], only_changes=True)
        for _ in range(3):
            with pytest.raises(AirflowFailException):
                check(["good", "bad"], task=Task("scheduled-1"), only_changes=True)
        assert check(["good", "bad"], task=Task("scheduled-2"), only_changes=True)["failed"] == 1

    def test_an_event_for_each_change(self, service: Service) -> None:
        def events() -> list[tuple[str, str, str]]:
            task = Task()
            check(
                ["good", "less", "bad"], task=task, on_failed="event", on_warning="event", asset_alias="auth"
            )
            return [
                (name.removeprefix("oauth2-authorization-"), extra["outcome"], extra["change"])
                for _, name, extra in task.events
            ]

        assert events() == [("less", "warning", "first"), ("bad", "failed", "first")]
        assert events() == []
        service.token = lambda _: token_json()
        assert authorize(service.connection(conn_id="bad", scope="bad", login="unknown")).ok
        assert events() == [("less", "ok", "recovered"), ("bad", "ok", "recovered")]
        assert events() == []

    def test_what_a_failing_task_could_not_tell_is_told_by_the_next(self) -> None:
        def run(*conn_ids: str) -> list[str]:
            task = Task()
            with pytest.raises(AirflowFailException) if "bad" in conn_ids else nullcontext():
                check(list(conn_ids), task=task, on_warning="event", asset_alias="auth")
            return [name for _, name, _ in task.events]

        assert run("less", "bad") == []
        assert run("less") == ["oauth2-authorization-less"]
        assert run("less") == []

    def test_where_nothing_is_remembered_everything_is_new(self, tmp_path: Path) -> None:
        for _ in range(2):
            with pytest.raises(AirflowFailException):
                check(["bad"], only_changes=True)
            shutil.rmtree(tmp_path / "oauth2_token_store")


class TestArguments:
    """Bad ones are told when the DAG is parsed."""

    @pytest.mark.parametrize(
        "arguments, field",
        [
            pytest.param({}, "oauth2_conn_ids", id="none"),
            pytest.param({"oauth2_conn_ids": ["a"], "oauth2_conn_id": "b"}, "oauth2_conn_ids", id="both"),
            pytest.param({"oauth2_conn_ids": ["a"], "on_failed": "mail"}, "on_failed", id="action"),
            pytest.param({"oauth2_conn_ids": ["a"], "on_failed": "event"}, "asset_alias", id="no-alias"),
            pytest.param({"oauth2_conn_ids": ["a"], "only_changes": "False"}, "only_changes", id="flag"),
        ],
    )
    def test_bad(self, arguments: dict[str, Any], field: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            OAuth2AuthorizationCheckOperator(task_id="check", **arguments)
        assert caught.value.field == field

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(["good", "less", "good"], id="list"),
            pytest.param("good, less", id="commas"),
            pytest.param("['good', 'less']", id="rendered-list"),
            pytest.param('["good", "less"]', id="json"),
        ],
    )
    def test_ids_as_templates_yield_them(self, given: Any) -> None:
        assert [row["conn_id"] for row in check(given)["connections"]] == ["good", "less"]

    @pytest.mark.parametrize("given", ["", [], " [] "])
    def test_a_check_of_nothing_is_no_success(self, given: Any) -> None:
        with pytest.raises(AirflowFailException, match="names no connection"):
            check(given)

    @pytest.mark.fault("F48")
    @pytest.mark.parametrize("given", [7, [7], [None], {"good": 1, 2: 3}])
    def test_what_is_no_connection_id(self, given: Any) -> None:
        with pytest.raises(AirflowFailException, match='field "oauth2_conn_ids"'):
            check(given)

    @pytest.mark.parametrize("given", ["{{ params.days }}", None, True, float("nan"), [30], -1])
    def test_days_that_are_none(self, given: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            OAuth2AuthorizationCheckOperator(
                task_id="check", oauth2_conn_ids=["good"], expires_within_days=given
            )
        assert caught.value.field == "expires_within_days"

    @pytest.mark.parametrize("given", [None, -1, "soon"])
    def test_days_after_which_to_remind(self, given: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            OAuth2AuthorizationCheckOperator(task_id="c", oauth2_conn_ids=["good"], remind_after_days=given)
        assert caught.value.field == "remind_after_days"

    def test_days_as_text(self) -> None:
        operator = OAuth2AuthorizationCheckOperator(
            task_id="check",
            oauth2_conn_ids=["good"],
            expires_within_days="12",  # type: ignore[arg-type]
        )
        assert operator.expires_within_days == 12

    def test_one_connection(self) -> None:
        operator = OAuth2AuthorizationCheckOperator(task_id="check", oauth2_conn_id="good")
        assert operator.execute(Task().context)["checked"] == 1


def test_the_report_holds_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    task = Task()
    with caplog.at_level(logging.DEBUG), pytest.raises(AirflowFailException) as caught:
        check(["good", "bad"], task=task)
    for output in (json.dumps(task.pushed), str(caught.value), repr(caught.value.__cause__), caplog.text):
        assert "a-client-secret" not in output
        assert "tok-" not in output


def test_a_kill_ends_it(service: Service) -> None:
    service.token = lambda _: Silent()
    operator = OAuth2AuthorizationCheckOperator(task_id="check", oauth2_conn_ids=["good"])
    threading.Timer(0.4, operator.on_kill).start()
    watch = Stopwatch()
    with pytest.raises(TaskStoppedError):
        operator.execute(Task().context)
    assert watch.seconds < 2


RUN = """
from datetime import timedelta
from airflow.sdk import dag
from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator as Check

@dag(schedule=None, catchup=False, params={"ids": ["orders_api"]})
def checks():
    Check(task_id="templated", oauth2_conn_ids="{{ params.ids }}")
    Check.partial(task_id="mapped").expand(oauth2_conn_ids=["orders_api", ["orders_api", "shared_client"]])
    Check(task_id="event", oauth2_conn_ids=["wrong_secret"], on_failed="event", asset_alias="authorizations")
    Check(task_id="failing", oauth2_conn_ids=["wrong_secret"], retries=3, retry_delay=timedelta(0),
          trigger_rule="all_done")

checks()
"""


def stored_events(home: AirflowHome) -> list[tuple[str, str, str]]:
    """Return asset, outcome and error code of each asset event in the metadata database."""
    query = (
        "SELECT asset.name, asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_event.asset_id"
    )
    with closing(sqlite3.connect(home.folder / "airflow.db")) as database:
        rows = [(name, json.loads(extra)) for name, extra in database.execute(query)]
    errors = [extra["error"] for _, extra in rows]
    codes = [(json.loads(error) if isinstance(error, str) else error)["error"] for error in errors]
    return [(name, extra["outcome"], code) for (name, extra), code in zip(rows, codes, strict=True)]


@pytest.mark.slow
@needs_dag_test
def test_the_examples_send_a_mail_of_what_failed_and_of_what_is_new(tmp_path: Path) -> None:
    home = AirflowHome(tmp_path)
    home.migrate()
    with OrdersServer() as server, MailServer() as mail:
        connections = {
            "orders_api": server.connection(),
            "shared_client": server.connection(base_url=None, password="not the client secret"),
            "smtp_default": mail.connection(),
        }
        alerts = EXAMPLES / "authorization_alerts.py"
        files = (EXAMPLES / "authorization_check.py", alerts, alerts)
        (run, first, second), log = home.run(*files, connections=connections)
    assert run.state == "failed", log
    assert not run.results["check"]["ok"]
    sent, news = mail.mails
    assert sent["To"] == "operations@example.com"
    assert sent["Subject"] == "An OAuth 2.0 authorization does not work"
    body = sent.get_body(("html",))
    assert body is not None
    text = " ".join(body.get_content().split())
    if hasattr(airflow.sdk, "RetryPolicy"):
        assert "1 of 2 authorizations need attention. shared_client: invalid_client" in text
    else:  # before Airflow 3.3 dag.test(), unlike a worker, tells callbacks of no exception
        assert "See the log of the task." in text
    assert "not the client secret" not in text

    assert (first.state, second.state) == ("success", "success"), log
    changes = [[row["conn_id"] for row in run.results["check"]["changes"]] for run in (first, second)]
    assert changes == [["shared_client"], []], "what lasts is no news"
    assert news["Subject"] == "OAuth 2.0 authorizations have changed"
    body = news.get_body(("html",))
    assert body is not None
    assert "shared_client: invalid_client" in " ".join(body.get_content().split())
    assert stored_events(home) == [("oauth2-authorization-shared_client", "failed", "invalid_client")]


@pytest.mark.slow
@needs_dag_test
@pytest.mark.fault("L25")
def test_in_real_tasks(tmp_path: Path) -> None:
    """And the example, as it stands."""
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "checks.py").write_text(RUN)
    example = dags / "authorization_check.py"
    example.write_text((EXAMPLES / example.name).read_text())
    home = AirflowHome(tmp_path / "home", dags=dags)
    home.migrate()
    with OrdersServer() as server:
        connections = {
            "orders_api": server.connection(),
            "shared_client": server.connection(base_url=None),
            "wrong_secret": server.connection(password="not the client secret"),
        }
        (run, printed), log = home.run(dags / "checks.py", example, connections=connections)
        counts = server.counts(run.started_at, run.ended_at)
    assert run.state == "failed", log
    assert run.results["templated"]["ok"]
    assert not run.results["event"]["ok"]
    assert run.results["failing"]["connections"][0]["error"]["error"] == "invalid_client"
    assert "UP_FOR_RETRY" not in log
    assert stored_events(home) == [("oauth2-authorization-wrong_secret", "failed", "invalid_client")]
    # One for each check of a good connection (two of them share a client), one for the wrong secret.
    assert counts["token requests"] <= 5
    assert "not the client secret" not in log
    assert printed.state == "success", log
    assert printed.results["check"]["checked"] == 2
    assert "2 connections checked, 0 failed" in log
