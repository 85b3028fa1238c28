"""Which connections a person may read, and what the list says of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugin.visiting import MARKS
from tests.support.service import Service

pytestmark = MARKS


@pytest.fixture
def stored(service: Service, store: Any) -> list[str]:
    names = ["billing", "crm", "orders"]
    for name in names:
        store(service.connection(conn_id=name))
    store(service.connection(conn_id="plain"), conn_type="http")
    return names


def person(role: str) -> Any:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return SimpleAuthManagerUser(username=role, role=role)


@pytest.mark.parametrize(("role", "reads"), [("admin", True), ("op", True), ("viewer", False)])
def test_who_reads_which(stored: list[str], role: str, reads: bool) -> None:
    from airflow_oauth_provider.plugin.connections import readable

    names = [connection.conn_id for connection in readable(person(role))]
    assert names == (stored if reads else [])


def test_the_list_says_what_stands_in_the_way(stored: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_oauth_provider.plugin.connections import SWITCHED_OFF, list_values, readable
    from airflow_oauth_provider.plugin.listing import Query

    admin = person("admin")
    values = list_values(readable(admin), Query(category="", page=7), admin)
    assert [row.conn_id for row in values["listing"].rows] == stored
    assert values["query"].page == values["listing"].page != 7
    assert values["check_all"] == values["creation"] == ""
    assert set(values["obstacles"]) == set(stored)
    assert {obstacle.authorize for obstacle in values["obstacles"].values()} == {""}
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    values = list_values(readable(admin), Query(), admin)
    assert values["check_all"] == SWITCHED_OFF
    assert all("test_connection" in obstacle.authorize for obstacle in values["obstacles"].values())


def test_only_what_is_on_the_page_is_asked_about(stored: list[str]) -> None:
    from airflow_oauth_provider.plugin.connections import list_values, readable
    from airflow_oauth_provider.plugin.listing import Query

    admin = person("admin")
    assert set(list_values(readable(admin), Query(text="crm"), admin)["obstacles"]) == {"crm"}
