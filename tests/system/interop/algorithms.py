"""Which algorithms a client may sign its assertions with."""

from __future__ import annotations

from tests.support.servers.strict_servers import ALGORITHMS
from tests.system.interop.deployments import SERVERS, Deployment
from tests.system.interop.features import WORKS
from tests.system.interop.tables import NOT_OFFERED, Table

ALGORITHMS_TABLE = Table(
    "algorithms",
    ("authorization server",),
    tuple((server,) for server in SERVERS),
    ALGORITHMS,
)


def outcome(deployment: Deployment, algorithm: str) -> str:
    """Ask for a token with a key of that algorithm, by discovery: the assertion is meant for the issuer."""
    metadata = deployment.metadata
    if algorithm not in metadata.get("token_endpoint_auth_signing_alg_values_supported", ()):
        return NOT_OFFERED
    hook = deployment.hook(algorithm, discovery=True)
    assert hook.get_token().scopes == {"read"}
    return WORKS
