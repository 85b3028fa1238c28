"""The table of ``docs/consumers.md``: libraries and hooks that take the token, each with its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONSTRAINTS = Path(__file__).parents[2] / ".ci" / "constraints" / "consumers.txt"
"""What the tests of consumers run with."""
DISTRIBUTIONS = {
    "aiohttp": "aiohttp",
    "aiokafka": "aiokafka",
    "airflow.providers.apache.iceberg": "apache-airflow-providers-apache-iceberg",
    "airflow.providers.apache.kafka": "apache-airflow-providers-apache-kafka",
    "airflow.providers.openlineage": "apache-airflow-providers-openlineage",
    "airflow.providers.postgres": "apache-airflow-providers-postgres",
    "airflow.providers.snowflake": "apache-airflow-providers-snowflake",
    "azure.core": "azure-core",
    "azure.storage.blob": "azure-storage-blob",
    "confluent_kafka": "confluent-kafka",
    "databricks.sdk": "databricks-sdk",
    "dlt": "dlt",
    "elastic_transport": "elastic-transport",
    "elasticsearch": "elasticsearch",
    "google.auth": "google-auth",
    "gql": "gql",
    "grpc": "grpcio",
    "httpx": "httpx",
    "kafka": "kafka-python",
    "mlflow": "mlflow-skinny",
    "openlineage.client": "openlineage-python",
    "psycopg2": "psycopg2-binary",
    "pyiceberg": "pyiceberg",
    "snowflake.connector": "snowflake-connector-python",
    "trino": "trino",
}
"""What is installed for the modules that tests name by the marker ``consumer``."""


class Consumer(NamedTuple):
    """A library, or a hook of Airflow's, that takes the token.

    :param page: below ``docs/``.
    :param modules: that its tests run with, by the marker ``consumer``; those of the others are everywhere.
    """

    name: str
    takes: str
    page: str
    modules: tuple[str, ...] = ()


AUTH, FUNCTION = "`OAuth2Auth`", "`bearer_token_callable`"
CONSUMERS = (
    Consumer("Airflow's `HttpOperator`", "the connection, as `http_conn_id`", "calling-apis.md"),
    Consumer("`requests`, and what is built on it", "`OAuth2Auth`, or `OAuth2Hook.get_conn()`", "hook.md"),
    Consumer(
        "httpx, and what is built on it", "`adapters.httpx.OAuth2Auth`", "consumers/httpx.md", ("httpx",)
    ),
    Consumer(
        "aiohttp, and what is built on it",
        "`adapters.aiohttp.oauth2_middleware`, or `OAuth2Hook.asession()`",
        "consumers/aiohttp.md",
        ("aiohttp",),
    ),
    Consumer(
        "OpenLineage, also Airflow's provider of it",
        "`auth` of `[openlineage] transport`",
        "consumers/openlineage.md",
        ("openlineage.client", "airflow.providers.openlineage"),
    ),
    Consumer(
        "Airflow's `IcebergHook`, pyiceberg's REST catalogs",
        "`auth` in the extra",
        "consumers/iceberg.md",
        ("pyiceberg", "airflow.providers.apache.iceberg"),
    ),
    Consumer(
        "Airflow's Kafka hooks, confluent-kafka",
        "`oauth_cb` in the extra",
        "consumers/kafka.md",
        ("confluent_kafka", "airflow.providers.apache.kafka"),
    ),
    Consumer("kafka-python", FUNCTION, "consumers/kafka-python.md", ("kafka",)),
    Consumer("aiokafka", FUNCTION, "consumers/aiokafka.md", ("aiokafka",)),
    Consumer(
        "Airflow's `SnowflakeHook`",
        "`azure_conn_id` in the extra",
        "consumers/snowflake.md",
        ("snowflake.connector", "airflow.providers.snowflake"),
    ),
    Consumer(
        "Airflow's `PostgresHook`",
        "`azure_conn_id` in the extra",
        "consumers/postgresql.md",
        ("psycopg2", "airflow.providers.postgres"),
    ),
    Consumer(
        "Azure SDKs, and what takes a `TokenCredential`",
        "`OAuth2Hook.credential()`, or `adapters.azure`",
        "consumers/azure.md",
        ("azure.core", "azure.storage.blob"),
    ),
    Consumer("Trino", AUTH, "consumers/trino.md", ("trino",)),
    Consumer("dlt's `RESTClient`", AUTH, "consumers/dlt.md", ("dlt",)),
    Consumer("gql (GraphQL)", AUTH, "consumers/gql.md", ("gql",)),
    Consumer(
        "Elasticsearch, elastic-transport",
        AUTH,
        "consumers/elasticsearch.md",
        ("elastic_transport", "elasticsearch"),
    ),
    Consumer("MLflow", AUTH, "consumers/mlflow.md", ("mlflow",)),
    Consumer("gRPC", FUNCTION, "consumers/grpc.md", ("grpc",)),
    Consumer("Databricks SDK (federation)", FUNCTION, "consumers/databricks.md", ("databricks.sdk",)),
    Consumer("Google's libraries (google-auth)", FUNCTION, "consumers/google-auth.md", ("google.auth",)),
    Consumer("any library that takes a function", FUNCTION, "hook.md"),
)


def consumer_table() -> Iterator[str]:
    """Yield the lines of the table; versions are those that the tests run with."""
    versions = dict(re.findall(r"^(\S+)==(\S+)$", CONSTRAINTS.read_text(), re.MULTILINE))
    yield "| library or hook | what it takes | tested with |"
    yield "|---|---|---|"
    for consumer in CONSUMERS:
        names = [DISTRIBUTIONS[module] for module in consumer.modules]
        tested = ", ".join(f"{name} {versions[name]}" for name in names)
        yield f"| [{consumer.name}]({consumer.page}) | {consumer.takes} | {tested} |"
