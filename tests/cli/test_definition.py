"""What every ``airflow`` command imports of ours."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_oauth_provider.cli.definition import get_oauth2_cli_commands
from tests.cli.arrangement import MARKS
from tests.cli.commands import CommandLine

pytestmark = MARKS


def test_the_definitions_import_nothing_of_ours_but_themselves() -> None:
    program = (
        "import sys, airflow.cli.cli_config, airflow_oauth_provider; before = set(sys.modules);"
        "from airflow_oauth_provider.cli.definition import get_oauth2_cli_commands as commands; commands();"
        "print(sorted(set(sys.modules) - before))"
    )
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    definition = ("airflow_oauth_provider.cli", "airflow_oauth_provider.cli.definition")
    assert printed.stdout.strip().splitlines()[-1] == str(sorted(definition))


@pytest.mark.fault("F50")
def test_help_says_the_purpose_of_each_command(airflow_cli: CommandLine) -> None:
    (group,) = get_oauth2_cli_commands()
    for command in group.subcommands:
        ended = airflow_cli("oauth2", command.name, "--help")
        assert ended.code == 0, ended.err
        _, description, *_ = ended.out.split("\n\n")
        assert " ".join(description.split()).startswith(f"{command.help}.")


def test_help_has_no_word_that_the_terminal_would_take_for_a_colour() -> None:
    """Airflow prints help as markup, in which ``[oauth2]`` vanishes."""
    (group,) = get_oauth2_cli_commands()
    for command in group.subcommands:
        texts = [
            command.help,
            command.description or "",
            *(arg.kwargs.get("help", "") for arg in command.args),
        ]
        assert "[" not in "".join(texts), command.name
