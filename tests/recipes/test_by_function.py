"""Libraries that take the token by a function, as their pages show them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_oauth_provider.client import reading
from airflow_oauth_provider.tokens.manager import shared
from tests.support.consumer_pages import run
from tests.support.servers.kafka_broker import KafkaBroker
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connection ``orders_api``, which no other thread reads."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", service.environment())
    readers: list[int] = []
    read = reading.get_connection

    def noted(conn_id: str) -> Any:
        readers.append(threading.get_ident())
        return read(conn_id)

    monkeypatch.setattr(reading, "get_connection", noted)
    yield
    assert set(readers) <= {threading.get_ident()}


@pytest.fixture
def broker() -> Iterator[KafkaBroker]:
    with KafkaBroker() as broker:
        yield broker


@pytest.mark.consumer("kafka")
# Of its own way of reading its files.
@pytest.mark.filterwarnings("ignore:.*_text is deprecated")
def test_kafka_python(broker: KafkaBroker) -> None:
    instead = {"kafka.example:9093": broker.address, "SASL_SSL": "SASL_PLAINTEXT"}
    producer = run("kafka-python", instead)["producer"]
    try:
        until(lambda: broker.tokens, "kafka-python to bring a token")
    finally:
        producer.close(1)
    assert set(broker.tokens) == {"tok-1"}


@pytest.mark.consumer("aiokafka")
def test_aiokafka(broker: KafkaBroker) -> None:
    instead = {
        "kafka.example:9093": broker.address,
        "SASL_SSL": "SASL_PLAINTEXT",
        "ssl.create_default_context()": "None",
    }

    async def connect() -> None:
        producer = await run("aiokafka", instead)["connected"]()
        await producer.stop()

    asyncio.run(connect())
    assert set(broker.tokens) == {"tok-1"}


@contextmanager
def grpc_server(carried: list[str]) -> Iterator[dict[str, str]]:
    """Run one that returns what it is sent, and say what stands for its address."""
    import grpc

    class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            carried.extend(value for name, value in details.invocation_metadata if name == "authorization")
            return grpc.unary_unary_rpc_method_handler(lambda request, _: request)

    with ThreadPoolExecutor(2) as workers:
        server = grpc.server(workers, handlers=(Echo(),))
        port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
        server.start()
        yield {
            "grpc.example:443": f"127.0.0.1:{port}",
            "ssl_channel_credentials": "local_channel_credentials",
        }
        server.stop(0).wait()


@pytest.mark.consumer("grpc")
def test_grpc(service: Service) -> None:
    carried: list[str] = []
    with grpc_server(carried) as instead, run("grpc", instead)["channel"] as channel:
        call = channel.unary_unary("/orders.Orders/Get")
        assert [call(b"4", timeout=10) for _ in range(3)] == [b"4"] * 3
    assert (carried, len(service.token_requests)) == (["Bearer tok-1"] * 3, 1)


@pytest.mark.consumer("grpc")
def test_grpc_when_there_is_no_token(service: Service) -> None:
    """The call says why, and no later one is lost by it."""
    import grpc

    carried: list[str] = []
    service.token = lambda _: token_json("brief", expires_in=0)
    with grpc_server(carried) as instead, run("grpc", instead)["channel"] as channel:
        call = channel.unary_unary("/orders.Orders/Get")
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        with pytest.raises(grpc.RpcError, match=r'Connection "orders_api".*invalid_client'):
            call(b"4", timeout=10)
        shared.clear()
        service.token = None
        assert call(b"4", timeout=10) == b"4"
    assert carried == ["Bearer tok-1"]


@pytest.mark.consumer("databricks.sdk")
def test_databricks(service: Service) -> None:
    def respond(request: RecordedRequest) -> ScriptedResponse:
        answers = {
            "/.well-known/databricks-config": {
                "oidc_endpoint": f"{service.server.url}/oidc",
                "workspace_id": "1",
            },
            "/oidc/.well-known/oauth-authorization-server": {
                "authorization_endpoint": f"{service.server.url}/oidc/v1/authorize",
                "token_endpoint": f"{service.server.url}/oidc/v1/token",
            },
            "/oidc/v1/token": {"access_token": "exchanged", "token_type": "Bearer", "expires_in": 3600},
        }
        return Json(answers.get(request.target, {"userName": "etl"}))

    service.api = respond
    workspace = run("databricks", {"https://acme.cloud.databricks.com": service.server.url})["workspace"]
    assert workspace.current_user.me().user_name == "etl"
    (exchange,) = [call.form for call in service.calls if call.target == "/oidc/v1/token"]
    assert (exchange["subject_token"], exchange["client_id"][0][:4]) == (["tok-1"], "0000")
    assert service.calls[-1].header("Authorization") == "Bearer exchanged"


@pytest.mark.consumer("google.auth")
def test_google_auth(service: Service) -> None:
    service.api = lambda request: Json(
        {
            "access_token": "exchanged",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        if request.target == "/v1/token"
        else {}
    )
    names = run("google-auth", {"https://sts.googleapis.com": service.server.url})
    with names["session"] as session:
        assert session.get(f"{service.server.url}/storage").json() == {}
    assert service.calls[0].form["subject_token"] == ["tok-1"]
    assert service.calls[1].header("Authorization") == "Bearer exchanged"
