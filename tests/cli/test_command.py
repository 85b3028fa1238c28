"""How a command runs and ends; more of it through the commands."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError
from airflow_oauth_provider.cli.command import command
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.cli.arrangement import MARKS

pytestmark = MARKS


def arguments(**given: Any) -> Namespace:
    return (
        Namespace(subcommand="x", verbose=False, json=True, conn_id="x", set=[])
        if not given
        else (Namespace(**vars(arguments()) | given))
    )


@pytest.fixture(autouse=True)
def no_audit_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_oauth_provider.cli.command.action_cli", lambda function: function)


def raising(error: BaseException) -> Any:
    def work(_: Any) -> bool:
        raise error

    return work


def ended(capsys: pytest.CaptureFixture[str], work: Any, args: Namespace, **options: Any) -> tuple[Any, Any]:
    with pytest.raises(SystemExit) as end:
        command(work, **options)(args)
    out = capsys.readouterr().out
    return end.value.code, json.loads(out)["error"] if out else None


def test_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    command(lambda _: True)(arguments())
    assert ended(capsys, lambda _: False, arguments()) == (1, None)
    assert ended(capsys, raising(KeyboardInterrupt()), arguments()) == (130, None)
    code, error = ended(capsys, raising(WrongFieldsError.of({"a": "1", "b": "2"}, "x")), arguments())
    assert (code, error["field"], error["wrong"]) == (1, "a", {"a": "1", "b": "2"})


def test_secrets_are_refused_before_anything_runs_with_all_else_that_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    work = raising(AssertionError("ran"))
    args = arguments(set=["private_key=k"])
    code, error = ended(capsys, work, args)
    assert (code, error["field"], "wrong" in error) == (1, "private_key", False)
    all_wrong = WrongFieldsError.of({"conn_id": "1"}, "x")
    code, error = ended(capsys, work, args, drafted=raising(all_wrong))
    assert (code, error["field"], error["wrong"].keys()) == (1, "conn_id", {"conn_id", "private_key"})
    assert "--set-env private_key=VARIABLE" in error["wrong"]["private_key"]
    code, error = ended(capsys, raising(ConfigurationError("no", field="f")), arguments())
    assert (code, error["field"]) == (1, "f")
