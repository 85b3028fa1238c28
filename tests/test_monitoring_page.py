"""The page on monitoring: its alerts by Prometheus' own tool, on series named as they are in truth."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from airflow_oauth_provider.client import report
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.server import OAuth2Server
from tests.conftest import require_server
from tests.readme import ROOT

pytestmark = pytest.mark.airflow
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
SERIES = (ROOT / "tests" / "manual" / "alerts.yaml").read_text()
LOGGERS = (
    "airflow.sdk._shared.observability.metrics.statsd_logger",
    "airflow._shared.observability.metrics.statsd_logger",
    "airflow.metrics.statsd_logger",
)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules of the page in a folder of their own, with what they make of series."""
    (block,) = re.findall(r"```yaml\n(groups:.*?)```", PAGE, re.DOTALL)
    (tmp_path / "rules.yaml").write_text(block)
    (tmp_path / "alerts.yaml").write_text(SERIES)
    return tmp_path


@pytest.mark.parametrize("command", [("check", "rules", "rules.yaml"), ("test", "rules", "alerts.yaml")])
def test_prometheus_says_so(rules: Path, command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        require_server("promtool is not installed: it comes with the package prometheus")
    done = subprocess.run(
        [promtool, *command], cwd=rules, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


class StatsClient:
    """The client of the library ``statsd``, as far as Airflow calls it for us."""

    def incr(self, stat: str, count: int = 1, rate: float = 1) -> None: ...

    def timing(self, stat: str, delta: Any) -> None: ...


def statsd_logger(client: StatsClient) -> Any:
    """Return what Airflow sends to StatsD by, with tags as InfluxDB writes them."""
    for name in LOGGERS:
        try:
            module = import_module(name)
        except ImportError:
            continue
        options = {"influxdb_tags_enabled": True, "statsd_influxdb_enabled": True}
        known = inspect.signature(module.SafeStatsdLogger).parameters
        return module.SafeStatsdLogger(
            client, **{name: value for name, value in options.items() if name in known}
        )
    raise AssertionError("this Airflow has none where it was")


def as_the_exporter_names_it(stat: str, prefix: str = "airflow") -> tuple[str, set[str]]:
    """Return name and labels, as statsd_exporter 0.22.8 makes them of what this Airflow sends (ran)."""
    name, *tags = stat.split(",")
    return re.sub(r"[^a-zA-Z0-9_]", "_", f"{prefix}.{name}"), {tag.partition("=")[0] for tag in tags}


def test_its_series_are_those_of_a_refusal(
    oauth2_server: OAuth2Server, oauth2_connection: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.sdk import Stats

    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")  # Airflow 3.0 and 3.1 look there
    client = create_autospec(StatsClient, instance=True)
    logger = statsd_logger(client)
    for name in ("incr", "timing"):
        monkeypatch.setattr(Stats, name, getattr(logger, name))
    oauth2_server.token_endpoint.refuse()
    with pytest.raises(OAuthError):
        OAuth2Hook(oauth2_connection("orders_api")).get_token()
    sent = [call.args[0] for call in client.incr.call_args_list]
    (refusal,) = [stat for stat in sent if stat.startswith(report.REFUSALS)]
    name, labels = as_the_exporter_names_it(refusal)
    assert "retryable=false" in refusal
    series = re.findall(r"'(\w+)\{(.*)\}'", SERIES)
    assert series
    for known, given in series:
        assert (known, set(re.findall(r"(\w+)=", given))) == (name, labels)
    used = set(re.findall(r"airflow_\w+", PAGE))
    assert used == {name}
