"""The table of authorization servers: by method and feature."""

from __future__ import annotations

from tests.support.servers.strict_servers import SECRET_METHODS, TLS_METHODS
from tests.system.interop.deployments import SERVERS, WORKLOAD_IDENTITY
from tests.system.interop.features import FEATURES
from tests.system.interop.tables import Table

METHODS = (*SECRET_METHODS, "private_key_jwt", *TLS_METHODS, WORKLOAD_IDENTITY)
METHODS_TABLE = Table(
    "methods",
    ("authorization server", "method"),
    tuple((server, method) for server in SERVERS for method in METHODS),
    tuple(FEATURES),
)
