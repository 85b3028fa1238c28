"""What commands print, and where."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import threading
from contextlib import suppress

import pytest

from airflow_oauth_provider.cli.output import only_results, print_document, print_error
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TransportError
from tests.cli.arrangement import MARKS, SECRET, VERSION, create
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import (
    Held,
    token_json,
)
from tests.support.service import RecordedRequest, Service

pytestmark = MARKS


def test_json_is_all_there_is_on_standard_output_however_much_is_logged(
    airflow_cli: CommandLine, service: Service
) -> None:
    create(airflow_cli, service, "one")
    ended = airflow_cli.alone("oauth2", "check", "one", "--json", "--verbose")
    assert ended.code == 0, ended.err
    start = 0 if VERSION >= (3, 3) else ended.out.index("[\n")
    assert [finding["ok"] for finding in json.loads(ended.out[start:])] == [True]
    assert "DEBUG" in ended.err.upper(), "it is still logged"
    assert SECRET not in ended.out + ended.err
    airflow_cli("oauth2", "forget", "one")
    airflow_cli("connections", "delete", "one")


@pytest.mark.slow
def test_progress_on_a_terminal(cli: CommandLine, service: Service) -> None:
    for number in range(8):
        create(cli, service, f"api_{number}", "--set", f"scope=scope-{number}")
    ours, theirs = pty.openpty()
    printed = bytearray()
    begun = len(service.token_requests)

    def shown() -> set[int]:
        return {int(percent) for percent in re.findall(rb"(\d+)%", printed)}

    def respond(_: RecordedRequest) -> Held:
        """Grant to half of them, and to the others when it has been shown."""
        first = len(service.token_requests) - begun <= 4
        return Held(lambda: first or shown() - {0, 100}, token_json())

    service.token = respond
    with cli.started("oauth2", "check", "--all", "--json", stderr=theirs) as process:
        os.close(theirs)
        reader = threading.Thread(target=_read_all, args=(ours, printed))
        reader.start()
        out, _ = process.communicate(timeout=60)
        reader.join(60)
    os.close(ours)
    assert process.returncode == 0
    assert "Checking" in printed.decode()
    assert shown() >= {100}
    assert shown() - {0, 100}, "it moves"
    assert len(json.loads(out[0 if VERSION >= (3, 3) else out.index("[\n") :])) == 8


def _read_all(terminal: int, printed: bytearray) -> None:
    with suppress(OSError):  # the other side is closed
        while got := os.read(terminal, 4096):
            printed += got


@pytest.mark.parametrize(
    ("error", "says"),
    [
        pytest.param(TransportError("the connection was refused"), "check host and port", id="its-type"),
        pytest.param(TransportError("no").with_advice("wait"), "no. Wait", id="its-own-advice"),
        pytest.param(
            ConfigurationError("is missing", field="host"), 'field "host": is missing', id="a-field"
        ),
    ],
)
def test_an_error_says_what_to_do_once(
    error: OAuthError, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_error(error)
    printed = capsys.readouterr().err
    assert says.lower() in printed.lower()
    assert printed.count(". ") <= 1


def test_a_document_in_yaml_has_letters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"text": "refused (RFC 6749 §5.2)", "name": "für"}, "yaml")
    assert capsys.readouterr().out == "text: refused (RFC 6749 §5.2)\nname: für\n"


def test_what_one_command_has_taken_is_free_for_the_next(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", earlier)
        with only_results():
            print_document({"a": 1}, "json")
    print_document({"b": 2}, "json")
    assert (json.loads(earlier.getvalue()), json.loads(capsys.readouterr().out)) == ({"a": 1}, {"b": 2})
