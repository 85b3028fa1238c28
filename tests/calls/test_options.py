from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_oauth_provider.calls.options import FLAGS, OPTIONS, SESSION_OPTIONS


def test_each_option_is_of_one_kind() -> None:
    limits = {"timeout", "total_timeout", "cool_down"}
    assert limits | set(FLAGS) | set(SESSION_OPTIONS) == OPTIONS
    assert len(OPTIONS) == len(limits) + len(FLAGS) + len(SESSION_OPTIONS)


@pytest.mark.parametrize("option", ["timeout", "verify", "cert", "proxies", "stream", "check_response"])
def test_what_airflows_http_operator_takes(option: str) -> None:
    assert option in OPTIONS


def test_dag_files_import_nothing_with_it() -> None:
    program = "import sys; import airflow_oauth_provider.calls.options; print('requests' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
