"""Each cell of the table of algorithms, and what healthcare asks for."""

from __future__ import annotations

import jwt
import pytest

from tests.system.interop.algorithms import ALGORITHMS_TABLE, outcome
from tests.system.interop.deployments import OIDC, Deployment
from tests.system.interop.pages import hold, parameters
from tests.system.interop.tables import Cell

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("deployment", "cell"), parameters(ALGORITHMS_TABLE), indirect=["deployment"])
def test_an_algorithm(deployment: Deployment, cell: Cell, request: pytest.FixtureRequest) -> None:
    hold(cell, outcome(deployment, cell.column), request)


@pytest.mark.parametrize("deployment", [OIDC], indirect=True)
@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_smart_backend_services(deployment: Deployment, algorithm: str) -> None:
    """SMART App Launch 2.2, "Client Authentication: Asymmetric": RS384 or ES384, kid, at most 5 minutes."""
    hook = deployment.hook(
        algorithm, scope="system/Patient.rs system/Observation.rs", key_id=f"{algorithm}-1", jwt_lifetime=300
    )
    token = hook.get_token()
    assert token.scopes == {"system/Patient.rs", "system/Observation.rs"}
    (request,) = deployment.server.requests()
    assertion = request["form"]["client_assertion"]
    header = jwt.get_unverified_header(assertion)
    claims = jwt.decode(assertion, options={"verify_signature": False})
    assert (header["alg"], header["kid"], header["typ"]) == (algorithm, f"{algorithm}-1", "JWT")
    assert claims["iss"] == claims["sub"] == deployment.registrations[algorithm].login
    assert claims["aud"] == deployment.token_url
    assert claims["exp"] - claims["iat"] == 300
