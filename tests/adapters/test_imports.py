"""Adapters import their libraries no sooner than they are used."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

from airflow_oauth_provider import adapters

PROGRAM = """
import importlib, json, sys
for name in {names}:
    module = importlib.import_module("airflow_oauth_provider.adapters." + name)
assert callable(sys.modules["airflow_oauth_provider.adapters.kafka"].oauth_cb)
print(json.dumps(sorted(sys.modules)))
"""


def test_none_is_imported_with_its_adapter() -> None:
    names = [module.name for module in pkgutil.iter_modules(adapters.__path__)]
    assert {"azure", "iceberg", "kafka", "openlineage"} <= set(names)
    program = PROGRAM.format(names=names)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    libraries = {"azure", "confluent_kafka", "openlineage", "pyiceberg"}
    assert imported & libraries == set()
