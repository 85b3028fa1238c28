"""An assertion of the platform at a server that takes each one once."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.exceptions import InvalidClientError
from tests.support.plain_client import assertion
from tests.system.interop.deployments import OIDC, WORKLOAD_IDENTITY, WORKLOADS, Deployment, Registration

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("deployment", [OIDC], indirect=True)
def test_what_was_refused_is_not_sent_again_until_the_platform_renews_it(deployment: Deployment) -> None:
    key = deployment.registrations["RS256"].extra["private_key"]
    login = deployment.registrations["RS256"].login
    file = WORKLOADS / "once"

    def renew() -> None:
        file.write_text(assertion(login, deployment.issuer, key, "RS256")["client_assertion"])

    given = {"auth_method": WORKLOAD_IDENTITY, "assertion_file": str(file), "ca_certificates": None}
    deployment.registrations["once"] = Registration(login, extra=given)
    renew()
    hook = deployment.hook("once")
    first = hook.get_token()
    for _ in range(3):
        with pytest.raises(InvalidClientError):
            hook.get_token(force=True)
    assert [request["status"] for request in deployment.server.requests()] == [200, 401]
    renew()
    assert hook.get_token(force=True).value != first.value
    assert [request["status"] for request in deployment.server.requests()] == [200, 401, 200]
