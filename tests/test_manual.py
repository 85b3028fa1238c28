"""The manual: what its pages say of the code, seen at the code."""

from __future__ import annotations

import json
import re

import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.connection.presets import presets
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from tests.connection.test_checks import pem
from tests.connection.vendors import KEY
from tests.readme import ROOT

DOCS = ROOT / "docs"


def test_each_preset_has_a_page_that_says_where_to_click() -> None:
    pages = {page.stem: page.read_text() for page in (DOCS / "servers").glob("*.md")}
    assert pages.keys() == presets().keys()
    for name, text in pages.items():
        assert text.startswith(f"# {presets()[name].title}\n")
        by_hand = text.partition("## At the server")[2].partition("<!-- server")[0]
        # Clicks are the vendor's: either the page names where they are from, or it says that it cannot.
        assert re.search(r"^Source: \[.*\]\(https://", by_hand, re.MULTILINE) or "behind a login" in by_hand


@pytest.mark.parametrize("name", presets())
def test_the_connection_of_a_servers_page_is_accepted_as_it_stands(name: str) -> None:
    text = (DOCS / "servers" / f"{name}.md").read_text()
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    given = json.loads(block)
    if "private_key" in given["extra"]:
        given["extra"]["private_key"] = pem(KEY)
    resolved = resolve(
        Connection(conn_id="my_api", **given | {"extra": json.dumps(given["extra"])}), Policy()
    )
    assert resolved.warnings == ()


def test_the_glossary_has_fifteen_words_in_order() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (DOCS / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert len(rows) == 15
    assert rows == sorted(rows, key=str.casefold)
