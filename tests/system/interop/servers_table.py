"""The tables of authorization servers: by method and feature."""

from __future__ import annotations

from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.protocol.client.methods import METHODS
from tests.support.servers.strict_servers import SECRET_METHODS, TLS_METHODS
from tests.system.interop.deployments import FAPI, SERVERS, WORKLOAD_IDENTITY
from tests.system.interop.features import FEATURES
from tests.system.interop.tables import Table

ROWS = tuple(
    (server, method)
    for server in SERVERS
    for method in (*SECRET_METHODS, "private_key_jwt", *TLS_METHODS, WORKLOAD_IDENTITY)
    if method in METHODS and (server != FAPI or "dpop" in FIELDS_BY_KEY)
)
METHODS_TABLE = Table("methods", ("authorization server", "method"), ROWS, tuple(FEATURES))
