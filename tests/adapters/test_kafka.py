"""``oauth_cb``, by itself, by confluent-kafka and by Airflow's Kafka hooks, at a broker on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from airflow_oauth_provider.adapters import kafka
from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError
from tests.support.consumer_pages import shown, shown_json, shown_options
from tests.support.servers.kafka_broker import KafkaBroker
from tests.support.servers.scripted import token_json
from tests.support.service import Service
from tests.support.waiting import auntil, until

PATH = "airflow_oauth_provider.adapters.kafka.oauth_cb"
CONFIG = "oauth2_conn_id=my_kafka"


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``my_kafka`` that is lent."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_kafka")
    monkeypatch.setenv("AIRFLOW_CONN_MY_KAFKA", service.environment(scope="own"))
    return service


def test_there_is_nothing_else_in_the_module() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'oauth_callback'"):
        _ = kafka.oauth_callback


def test_a_token_and_its_end(lent: Service) -> None:
    before = time.time()
    token, ends_at = kafka.oauth_cb(CONFIG)
    assert token == "tok-1"
    assert before + 3600 <= ends_at <= time.time() + 3600


def test_parameters_of_a_client(lent: Service) -> None:
    kafka.oauth_cb(
        f"{CONFIG} scope=a  scope=b audience=https://kafka.example/?x=y resource=https://r.example"
    )
    form = lent.token_requests[0].form
    assert (form["scope"], form["audience"], form["resource"]) == (
        ["a b"],
        ["https://kafka.example/?x=y"],
        ["https://r.example"],
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        pytest.param(None, "must name a connection as oauth2_conn_id", id="nothing"),
        pytest.param("my_kafka", "must consist of name=value", id="only an id"),
        pytest.param(f"{CONFIG} my-secret-word", "must consist of name=value", id="may be a secret"),
        pytest.param(f"{CONFIG} secret=x", "has no secret", id="unknown"),
        pytest.param("oauth2_conn_id=other", "lent_connections = my_kafka, other", id="not lent"),
    ],
)
def test_the_log_says_why_there_is_none(
    config: str | None, says: str, lent: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """confluent-kafka itself says only that nothing came within ten seconds."""
    with pytest.raises(ConfigurationError, match=says), caplog.at_level(logging.ERROR):
        kafka.oauth_cb(config)
    assert says in caplog.text
    assert "my-secret-word" not in caplog.text
    assert lent.token_requests == []


def test_a_foreign_error_is_logged_by_its_name(
    lent: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(conn_id: str) -> Any:
        raise PermissionError("the-secret-of-a-backend")

    monkeypatch.setattr("airflow_oauth_provider.client.reading.get_connection", deny)
    with pytest.raises(PermissionError), caplog.at_level(logging.ERROR):
        kafka.oauth_cb(CONFIG)
    assert "PermissionError" in caplog.text
    assert "the-secret-of-a-backend" not in caplog.text


def test_a_connection_that_was_deleted(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that lives on goes on with what it has read; the next one finds it gone."""
    oauth_cb = kafka.oauth_cb
    oauth_cb(CONFIG)
    monkeypatch.delenv("AIRFLOW_CONN_MY_KAFKA")
    assert oauth_cb(CONFIG)[0] == "tok-1"
    with pytest.raises(ConnectionNotFoundError):
        kafka.oauth_cb(CONFIG)


def test_each_client_reads_the_connection_anew(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kafka.oauth_cb
    first(CONFIG)
    monkeypatch.setenv("AIRFLOW_CONN_MY_KAFKA", lent.environment(scope="another"))
    assert first(CONFIG)[0] == "tok-1"
    assert kafka.oauth_cb(CONFIG)[0] == "tok-2"


def test_one_that_travels_reads_by_itself(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, as any other: by then a thread of librdkafka asks."""
    oauth_cb = kafka.oauth_cb
    oauth_cb(CONFIG)
    data = pickle.dumps(oauth_cb)
    assert b"tok-1" not in data
    assert b"a-client-secret" not in data
    travelled = pickle.loads(data)
    assert travelled(CONFIG)[0] == "tok-1"
    monkeypatch.delenv("AIRFLOW_CONN_MY_KAFKA")
    assert travelled(CONFIG)[0] == "tok-1"
    with pytest.raises(ConnectionNotFoundError):
        pickle.loads(data)(CONFIG)


def test_fifty_threads(lent: Service) -> None:
    oauth_cb, together = kafka.oauth_cb, threading.Barrier(50)

    def ask() -> str:
        together.wait()
        return str(oauth_cb(CONFIG)[0])

    with ThreadPoolExecutor(50) as pool:
        assert {future.result() for future in [pool.submit(ask) for _ in range(50)]} == {"tok-1"}
    assert len(lent.token_requests) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_process(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has what was read; a callback of its own reads by itself."""
    oauth_cb = kafka.oauth_cb
    oauth_cb(CONFIG)
    child = os.fork()
    if child == 0:  # pragma: no cover  (another process)
        ended = 1
        try:
            monkeypatch.delenv("AIRFLOW_CONN_MY_KAFKA")
            ended = 0 if oauth_cb(CONFIG)[0] == "tok-1" else 2
        finally:
            os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(lent.token_requests) == 1


@pytest.mark.airflow
@pytest.mark.consumer("confluent_kafka", "airflow.providers.apache.kafka")
class TestWithConfluentKafka:
    @pytest.fixture(autouse=True)
    def broker(self, lent: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBroker]:
        monkeypatch.setenv("AIRFLOW__APACHE_KAFKA__CALLBACK_ALLOWLIST", PATH)
        with KafkaBroker(session=1500) as running:
            monkeypatch.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", self.environment(running))
            yield running

    @staticmethod
    def environment(broker: KafkaBroker, config: str = CONFIG) -> str:
        extra = {
            "bootstrap.servers": broker.address,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.config": config,
            "oauth_cb": PATH,
            "group.id": "tests",
        }
        return json.dumps({"conn_type": "kafka", "extra": extra})

    def test_the_configuration_that_the_page_shows(
        self, broker: KafkaBroker, lent: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.providers.apache.kafka.hooks.client import KafkaAdminClientHook

        for name, value in shown_options("kafka").items():
            monkeypatch.setenv(name, value)
        reachable = {"bootstrap.servers": broker.address, "security.protocol": "SASL_PLAINTEXT"}
        extra = {**shown_json("kafka"), **reachable}
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", lent.environment())
        monkeypatch.setenv("AIRFLOW_CONN_SHOWN", json.dumps({"conn_type": "kafka", "extra": extra}))
        assert KafkaAdminClientHook("shown").test_connection() == (True, "Connection successful.")
        assert lent.token_requests[0].form["scope"] == ["orders.read orders.write"]

    def test_the_stock_admin_hook(self, broker: KafkaBroker) -> None:
        from airflow.providers.apache.kafka.hooks.client import KafkaAdminClientHook

        assert KafkaAdminClientHook().test_connection() == (True, "Connection successful.")
        assert set(broker.tokens) == {"tok-1"}

    def test_a_consumer_that_lives_on_gets_new_tokens_in_time(
        self, broker: KafkaBroker, lent: Service
    ) -> None:
        from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook

        lent.token = lambda _: token_json(f"tok-{len(lent.token_requests)}", expires_in=3)
        consumer = KafkaConsumerHook(["orders"]).get_consumer()
        try:
            until(lambda: "tok-2" in broker.tokens, "the broker sees a renewed token")
        finally:
            consumer.close()
        assert broker.tokens.index("tok-2") > broker.tokens.index("tok-1")

    def test_a_producer(self, broker: KafkaBroker, lent: Service) -> None:
        from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook

        producer = KafkaProducerHook().get_producer()
        assert producer.list_topics(timeout=10).brokers
        assert set(broker.tokens) == {"tok-1"}

    def test_extensions_as_the_page_shows_them(
        self, broker: KafkaBroker, lent: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.providers.apache.kafka.hooks.client import KafkaAdminClientHook

        own = ModuleType("my_company_kafka")
        exec(shown("kafka", "python"), vars(own))
        monkeypatch.setitem(sys.modules, own.__name__, own)
        monkeypatch.setenv("AIRFLOW__APACHE_KAFKA__CALLBACK_ALLOWLIST", "my_company_kafka.oauth_cb")
        stored = self.environment(broker).replace(PATH, "my_company_kafka.oauth_cb")
        monkeypatch.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", stored)
        assert KafkaAdminClientHook().test_connection() == (True, "Connection successful.")
        assert broker.tokens[0] == "tok-1"
        assert broker.extensions[0] == {"logicalCluster": "lkc-1234", "identityPoolId": "pool-5678"}

    def test_the_stock_trigger(self, broker: KafkaBroker, lent: Service) -> None:
        """In an event loop, whose threads make the consumer and poll it."""
        from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger

        async def watch() -> None:
            trigger = AwaitMessageTrigger(topics=["orders"], poll_timeout=0.1, poll_interval=0.1)
            events = trigger.run()
            first = asyncio.ensure_future(anext(events))
            await auntil(lambda: broker.tokens or first.done(), "the broker sees a token")
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

        asyncio.run(watch())
        assert set(broker.tokens) == {"tok-1"}

    def test_its_connection_is_read_while_the_hook_waits(
        self, broker: KafkaBroker, lent: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a thread of librdkafka, which renews the token there, too, and then reads nothing."""
        from airflow.providers.apache.kafka.hooks.client import KafkaAdminClientHook

        from airflow_oauth_provider.client import reading

        read_in: list[tuple[int, bool]] = []
        waiting, original = threading.Event(), reading.get_connection

        def get_connection(conn_id: str) -> Any:
            read_in.append((threading.get_ident(), waiting.is_set()))
            return original(conn_id)

        monkeypatch.setattr(reading, "get_connection", get_connection)
        lent.token = lambda _: token_json(f"tok-{len(lent.token_requests)}", expires_in=2)
        hook = KafkaAdminClientHook()
        waiting.set()
        client = hook.get_conn
        waiting.clear()
        until(lambda: len(lent.token_requests) >= 2, "the token is renewed")
        assert client.list_topics(timeout=10).brokers
        assert [(thread == threading.get_ident(), waited) for thread, waited in read_in] == [(False, True)]

    def test_a_path_that_the_deployment_does_not_list(
        self, broker: KafkaBroker, lent: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.providers.apache.kafka.hooks.client import KafkaAdminClientHook

        monkeypatch.setenv("AIRFLOW__APACHE_KAFKA__CALLBACK_ALLOWLIST", "my_company.oauth_cb")
        with pytest.raises(ValueError, match="Refusing to resolve Kafka callback"):
            _ = KafkaAdminClientHook().get_conn
        assert lent.token_requests == []
