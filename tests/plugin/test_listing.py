"""The list without Airflow around it: which connections, in which order, on which page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.plugin.listing import PAGE, SORTS, Listing, Query, listing
from tests.support.pages import list_page
from tests.support.service import Service


@pytest.fixture
def policy() -> Policy:
    return read_policy()


@pytest.fixture
def connections(service: Service) -> list[Any]:
    """By name, as the database gives them."""
    return [
        service.connection(conn_id="billing", category="Finance", host="https://b.example/token"),
        service.connection(
            conn_id="crm", category="sales", host="https://a.example/token", login="crm-robot"
        ),
        service.connection(conn_id="ledger", category="finance", host="ftp://nowhere.example"),
        service.connection(conn_id="orders", scope="write", host="https://c.example/token"),
    ]


def names(page: Listing) -> list[str]:
    return [row.conn_id for row in page.rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(Query(), "billing crm ledger orders", id="all"),
        pytest.param(Query(text="ER"), "ledger orders", id="name, in any case"),
        pytest.param(Query(text="b.example"), "billing", id="access token URL"),
        pytest.param(Query(text="robot"), "crm", id="client ID"),
        pytest.param(Query(text="%"), "", id="no wildcards"),
        pytest.param(Query(text="a-client-secret"), "", id="never the secret"),
        pytest.param(Query(category="finance"), "ledger", id="category"),
        pytest.param(Query(status="wrong_configuration"), "ledger", id="status"),
        pytest.param(Query(status="not_yet", category="sales"), "crm", id="both"),
        pytest.param(Query(status="no such"), "", id="unknown status"),
        pytest.param(Query(sort="-name"), "orders ledger crm billing", id="backwards"),
        pytest.param(Query(sort="host"), "ledger crm billing orders", id="by host"),
        pytest.param(Query(sort="-host"), "orders billing crm ledger", id="by host, backwards"),
        pytest.param(Query(sort="category"), "orders billing ledger crm", id="by category, in any case"),
        pytest.param(Query(sort="status"), "billing crm orders ledger", id="by status"),
        pytest.param(Query(sort="__class__"), "billing crm ledger orders", id="by nonsense"),
    ],
)
def test_a_query_is_answered(connections: list[Any], policy: Policy, query: Query, expected: str) -> None:
    page = listing(connections, query, policy)
    assert names(page) == expected.split()
    assert page.total == len(page.rows)


def test_the_categories_offered_are_those_of_all_connections(connections: list[Any], policy: Policy) -> None:
    assert listing(connections, Query(text="orders"), policy).categories == ("Finance", "finance", "sales")


def test_only_the_page_looked_at_is_described(
    service: Service, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = []
    monkeypatch.setattr(
        "airflow_oauth_provider.plugin.listing.describe",
        lambda connection, _: described.append(connection.conn_id),
    )
    many = [service.connection(conn_id=f"c{number:03}") for number in range(2 * PAGE + 50)]
    page = listing(many, Query(page=3), policy)
    assert (page.total, page.page, page.pages) == (250, 3, 3)
    assert described == [f"c{number:03}" for number in range(200, 250)]


@pytest.mark.parametrize("page", [-1, 0, 4, 10**30])
def test_a_page_that_is_not_there_becomes_the_nearest(service: Service, policy: Policy, page: int) -> None:
    many = [service.connection(conn_id=f"c{number:03}") for number in range(PAGE + 1)]
    listed = listing(many, Query(page=page), policy)
    assert listed.page == (1 if page < 1 else 2)


def test_what_cannot_be_read_is_listed_all_the_same(service: Service, policy: Policy) -> None:
    class Unreadable:
        conn_id, conn_type, description = "sealed", "oauth2_client_credentials", None
        host, login, schema, port, password = "https://a.example", "me", None, None, None

        @property
        def extra(self) -> str:
            raise RuntimeError("another Fernet key")

    page = listing([Unreadable()], Query(), policy)
    assert names(page) == ["sealed"]
    assert "Fernet key" in (page.rows[0].reason or "")


def test_an_address_says_only_what_is_not_the_default() -> None:
    query = Query(text='a"<b>&=', category="x y", page=3)
    assert query.sorted_by("name") == "?text=a%22%3Cb%3E%26%3D&category=x+y&sort=-name"
    assert query.sorted_by("status") == "?text=a%22%3Cb%3E%26%3D&category=x+y&sort=status"
    assert Query(sort="-status").sorted_by("status") == "?sort=status"
    assert Query().turned_to(2) == "?page=2"
    assert Query(page=2).turned_to(1) == "?"


@pytest.mark.parametrize("sort", SORTS)
def test_each_order_of_cards_is_one_of_the_list(sort: str) -> None:
    assert Query(sort=sort).order == sort


def test_cards_can_be_sorted_by_all_that_headings_sort_by(connections: list[Any], policy: Policy) -> None:
    columns = {sort.removeprefix("-") for sort in SORTS}
    assert {f"-{column}" for column in columns} | columns == set(SORTS)
    page = list_page(listing(connections, Query(sort="-host"), policy), Query(sort="-host"))
    assert columns == set(re.findall(r'id="sort-([a-z]+)"', page))
    assert re.findall(r'<option value="([^"]*)" selected>Token host', page) == ["-host"]
    assert Query(sort="nonsense").order == "name"
