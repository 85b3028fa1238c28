"""What comes from the store is foreign: it breaks nothing, forges nothing, and disturbs no other."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import AuthorizationStatus, Target, check_all, describe
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.plugin.listing import Query, listing
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.tokens.held_token import HeldToken
from airflow_oauth_provider.tokens.last_use import LastUse
from airflow_oauth_provider.tokens.records import Status
from tests.authorizations.foreign_store import (
    FORGED,
    YEAR_2100,
    by_name,
    forged_record,
    random_json,
    spoil,
    spoiled_record,
)
from tests.support.pages import list_page
from tests.support.servers.redis_server import RedisServer
from tests.support.service import Service

pytestmark = pytest.mark.fault("F22")
CONN_IDS = ("crm", "ledger", "orders")


def fetch(settings: Any) -> AccessToken:
    """Return a token, as a custom provider without any credential would."""
    return AccessToken("from-a-provider", "Bearer", time.time() + 600, time.time())


def use(connection: Any) -> None:
    OAuth2Client(connection.conn_id, connection).get_token()


@pytest.mark.parametrize("seed", range(25))
def test_whatever_lies_there_list_page_and_check_go_on(
    seed: int, service: Service, store: Path, another_process: Callable[[], None]
) -> None:
    chance = random.Random(seed)
    connections = [service.connection(conn_id=name, login=name) for name in CONN_IDS]
    for connection in connections:
        use(connection)
    spoil(store, CONN_IDS, chance)
    another_process()
    policy = read_policy()
    listed = listing(connections, Query(), policy)
    page = list_page(listed)
    assert [authorization.conn_id for authorization in listed.rows] == list(CONN_IDS)
    assert FORGED not in page
    for authorization in listed.rows:
        assert authorization.verified
        assert FORGED not in json.dumps(authorization.report()) + authorization.text
        # "Refused" and "Authorized" come from swapped or genuine entries of the same client only.
        assert authorization.status is not AuthorizationStatus.WRONG
    results = check_all([Target.of(connection) for connection in connections])
    assert [result.ok for result in results] == [True] * 3
    assert {describe(connection).status for connection in connections} == {AuthorizationStatus.AUTHORIZED}


def test_one_bad_entry_is_not_known_for_its_own_connection(
    service: Service, store: Path, another_process: Callable[[], None]
) -> None:
    """The input that answered the page with HTTP status 500."""
    connections = [service.connection(conn_id=name, login=name) for name in CONN_IDS]
    for connection in connections:
        use(connection)
    sealing, name = by_name("ledger")
    (store / f"{name}.sealed").write_bytes(sealing.seal(name, forged_record(at="x")))
    another_process()
    described = {connection.conn_id: describe(connection) for connection in connections}
    assert {name: described[name].requests for name in CONN_IDS} == {"crm": 1, "ledger": None, "orders": 1}
    assert {state.status for state in described.values()} == {AuthorizationStatus.AUTHORIZED}


def test_who_knows_no_secret_forges_no_status(
    service: Service, store: Path, another_process: Callable[[], None]
) -> None:
    connection = service.connection()
    use(connection)
    for entry in store.glob("*.sealed"):
        entry.unlink()
    sealing, name = by_name("my_api")
    now = time.time()
    status = {**Status().content(), "authorized_at": now, "expires_at": now + 3600}
    (store / f"{name}.sealed").write_bytes(sealing.seal(name, forged_record(status=status)))
    (store / f"{name}.sealed").chmod(0o600)
    another_process()
    state = describe(connection)
    assert (state.status, state.text) == (AuthorizationStatus.EDITED, "Edited since it was last used")
    assert (state.requests, state.used_at, state.refusal) == (None, None, None)


def test_a_rotated_secret_is_an_edit_without_details(
    service: Service, store: Path, another_process: Callable[[], None]
) -> None:
    use(service.connection())
    another_process()
    state = describe(service.connection(password="a-rotated-secret"))
    assert (state.status, state.used_at, state.requests) == (AuthorizationStatus.EDITED, None, None)
    assert state.verified


@pytest.fixture
def custom(service: Service, store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A connection without any credential, in a deployment without a store key."""
    providers = json.dumps({"corporate": f"{__name__}.fetch"})
    monkeypatch.setenv("AIRFLOW__OAUTH2__CUSTOM_PROVIDERS", providers)
    return service.connection(auth_method="custom", custom_provider="corporate", password=None)


def test_without_a_credential_the_status_is_unverified(
    custom: Any, another_process: Callable[[], None]
) -> None:
    use(custom)
    another_process()
    state = describe(custom)
    assert state.status is AuthorizationStatus.AUTHORIZED
    assert not state.verified
    assert state.text.endswith(" (unverified)")
    assert any("store_key" in warning for warning in state.warnings)
    assert state.report()["verified"] is False


def test_with_a_store_key_it_is_verified(
    custom: Any, another_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__STORE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    use(custom)
    another_process()
    state = describe(custom)
    assert (state.status, state.verified) == (AuthorizationStatus.AUTHORIZED, True)
    assert "unverified" not in state.text + str(state.warnings)


@pytest.mark.parametrize("seed", range(40))
def test_an_unverified_record_breaks_nothing_either(
    seed: int, custom: Any, store: Path, another_process: Callable[[], None]
) -> None:
    use(custom)
    sealing, name = by_name("my_api")
    record = spoiled_record(random.Random(seed))
    (store / f"{name}.sealed").write_bytes(sealing.seal(name, record))
    another_process()
    state = describe(custom)
    assert state.status is not AuthorizationStatus.WRONG, state.reason
    assert json.loads(json.dumps(state.report()))
    assert "\x1b" not in state.text
    assert (state.expires_at or 0) < YEAR_2100


@pytest.mark.parametrize("seed", range(300))
def test_no_reader_raises(seed: int) -> None:
    chance = random.Random(seed)
    for data in (
        chance.randbytes(chance.randrange(300)),
        json.dumps(random_json(chance)).encode(),
        spoiled_record(chance),
    ):
        LastUse.load(data)
        Status.load(data)
        HeldToken.load(data)


class TestRedis:
    """Others may reach it, too."""

    @pytest.fixture
    def policy(self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, store: Path) -> Any:
        monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", redis_server.url)
        return read_policy()

    def test_a_key_of_another_type_is_one_bad_entry(
        self, policy: Any, redis_server: RedisServer, service: Service, another_process: Callable[[], None]
    ) -> None:
        """Reading it is an error for Redis; the store works all the same."""
        connections = [service.connection(conn_id=name, login=name) for name in CONN_IDS]
        for connection in connections:
            use(connection)
        client = redis_server.client()
        place = f"airflow-oauth-provider:1:{by_name('crm')[1]}"
        assert client.delete(place) == 1
        client.rpush(place, "x")
        another_process()
        described = {connection.conn_id: describe(connection, policy) for connection in connections}
        assert {name: described[name].requests for name in CONN_IDS} == {
            "crm": None,
            "ledger": 1,
            "orders": 1,
        }
        use(connections[0])
        assert describe(connections[0], policy).hits == 1, "it is written anew"
        assert len(service.token_requests) == 3, "tokens are shared as before"

    def test_the_index_is_where_the_tests_look(
        self, policy: Any, redis_server: RedisServer, service: Service
    ) -> None:
        use(service.connection())
        assert redis_server.client().exists(f"airflow-oauth-provider:1:{by_name('my_api')[1]}")
        assert DisplayIndex(policy.sharing, "my_api")._names().__next__() == by_name("my_api")[1]
