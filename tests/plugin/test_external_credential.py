"""The page and a credential outside of the connection: where it comes from, and never what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX
from tests.plugin.visiting import ACCEPTS_JSON, MARKS, Visitor
from tests.support.service import Service
from tests.support.spellings import disclosed

pytestmark = MARKS

OUTSIDE = "the-secret-that-lies-outside"


@pytest.fixture
def erp(service: Service, store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A connection whose secret lies in a file; returns the file."""
    file = tmp_path / "secret"
    file.write_text(OUTSIDE)
    host = service.server.url.removeprefix("http://")
    entry = {"file": str(file), "hosts": [host], "client_ids": ["my-client"], "api_hosts": [host]}
    monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", json.dumps({"vault": entry}))
    store(service.connection(conn_id="erp", password=None, external_credential="vault"))
    return file


def test_it_says_where_the_credential_comes_from(service: Service, erp: Path, admin: Visitor) -> None:
    authorized = admin.post("/authorize/erp")
    assert authorized.json()["ok"], authorized.text
    assert len(service.token_requests) == 1
    pages = [admin.get(path).text for path in ("/", "/connections/erp")]
    data = admin.client.get(f"{PREFIX}/", headers=ACCEPTS_JSON).text
    for page in pages:
        assert "external credential vault (file)" in page
    for said in (authorized.text, *pages, data):
        assert disclosed(said, [OUTSIDE]) == set()
        assert str(erp.parent) not in said


def test_a_machine_that_cannot_read_it_says_so(erp: Path, admin: Visitor) -> None:
    erp.unlink()
    page = admin.get("/connections/erp").text
    assert "cannot be read on this machine: its file does not exist" in page
    assert str(erp.parent) not in page
