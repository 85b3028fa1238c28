"""Cold processes that want a token at the same moment: what it costs a real server, by its own count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import fleet
from tests.support.fleet import Task
from tests.system.interop.deployments import FAPI, Deployment
from tests.system.interop.features import metadata_requests

pytestmark = pytest.mark.slow
PROCESSES = 16


@pytest.mark.parametrize("deployment", [FAPI], indirect=True)
def test_one_token_request_and_one_of_metadata(deployment: Deployment, tmp_path: Path) -> None:
    """With a client certificate, proofs of possession and discovery, all at once."""
    given = deployment.environment("tls_client_auth-unbound", discovery=True, dpop=True)
    task = Task(given, "file", str(tmp_path), PROCESSES)
    report = fleet.run(task)
    assert report.errors == set()
    assert len(report.results) == PROCESSES
    assert len(report.tokens) == 1
    assert [request["status"] for request in deployment.server.requests()] == [200]
    assert metadata_requests(deployment) == 1
