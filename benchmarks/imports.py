"""What importing the operator costs beside the HTTP provider's, and what making one touches."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

from benchmarks.harness import Report

ROUNDS = 15
IMPORT = """
import time, warnings; warnings.simplefilter("ignore")
import airflow.sdk
began = time.process_time()
from {module} import {name}
print((time.process_time() - began) * 1000)
"""
MAKE = """
import json, sys, warnings; warnings.simplefilter("ignore")
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow.sdk import BaseHook
BaseHook.get_connection = classmethod(lambda *_: sys.exit("a connection was read"))
before = set(sys.modules)
OAuth2HttpOperator(task_id="x", oauth2_conn_id="none", endpoint="y")
print(json.dumps(sorted(set(sys.modules) - before)))
"""


# Some machines keep Python from writing compiled files, as no deployment of Airflow does.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def printed(program: str) -> bytes:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=ENVIRONMENT)
    return ended.stdout


def milliseconds(module: str, name: str) -> float:
    return float(printed(IMPORT.format(module=module, name=name)))


def main() -> None:
    report = Report("Imports")
    ours, stock = [], []
    for _ in range(ROUNDS):
        ours.append(milliseconds("airflow_oauth_provider.operators.oauth2", "OAuth2HttpOperator"))
        stock.append(milliseconds("airflow.providers.http.operators.http", "HttpOperator"))
    more = statistics.median(a - b for a, b in zip(ours, stock, strict=True))
    report.figure("importing our operator, more than the HTTP provider's, CPU", more, 12, " ms")
    report.figure("  for comparison: the HTTP provider's", statistics.median(stock), None, " ms")
    modules = [name for name in json.loads(printed(MAKE)) if name.split(".")[0] in {"cryptography", "jwt"}]
    report.figure("modules of cryptography that making an operator imports", len(modules), 0)
    report.end()


if __name__ == "__main__":
    main()
