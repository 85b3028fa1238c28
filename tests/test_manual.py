"""The manual: what its pages say of the code, seen at the code."""

from __future__ import annotations

import configparser
import json
import pkgutil
import re
import tomllib
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from airflow.sdk import Connection

from airflow_oauth_provider import adapters
from airflow_oauth_provider.client import report
from airflow_oauth_provider.connection.presets import presets
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.options import OPTIONS
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.protocol.token import errors
from tests.connection.test_checks import pem
from tests.connection.vendors import KEY
from tests.manual.diagrams import DIAGRAMS, svg
from tests.manual.texts import sentences
from tests.manual.troubleshooting import _SECTIONS
from tests.readme import ROOT
from tests.support.servers.scripted import CloseNow, Json, Text
from tests.support.service import Service

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


def test_the_reference_documents_every_public_name() -> None:
    """Those that its table lists, adapters of libraries that the manual's environment lacks among them."""
    text = (DOCS / "api.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", text, re.MULTILINE)
    table = {module: re.findall(r"`(\w+)`", names) for module, names in rows}
    adapted = {f"adapters.{module.name}" for module in pkgutil.iter_modules(adapters.__path__)}
    assert adapted == {module for module in table if module.startswith("adapters.")}
    given = set(re.findall(r"auto(?:class|function):: airflow_oauth_provider\.([\w.]+)", text))
    for module, members in re.findall(
        r"automodule:: airflow_oauth_provider\.([\w.]+)\n   :members: (.*)", text
    ):
        given |= {f"{module}.{name}" for name in members.split(", ")}
    assert {f"{module}.{name}" for module, names in table.items() for name in names} <= given
    assert {f"automodule:: airflow_oauth_provider.{name}" for name in adapted} <= set(
        re.findall(r"automodule:: [\w.]+", text)
    )


def test_the_glossary_has_fifteen_words_in_order() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (DOCS / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert len(rows) == 15
    assert rows == sorted(rows, key=str.casefold)


def sentence_of(error: OAuthError) -> bool:
    """Whether the page has a sentence that is in the text of an error, or after it."""
    rows = re.findall(r"^\| ([^`|].*?) \|", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    plain = [re.sub(r"\\(.)", r"\1", row) for row in rows]
    patterns = [".+".join(map(re.escape, row.split("…"))) for row in plain if len(row.replace("…", "")) > 12]
    return any(re.search(pattern, str(error)) for pattern in patterns)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"max_wait": -1}, id="number"),
        pytest.param({"auth_method": "basic"}, id="choice"),
        pytest.param({"verify_tls": False}, id="policy"),
        pytest.param({"scope": 'a"b'}, id="characters"),
        pytest.param({"custom_provider": "corp", "auth_method": "custom"}, id="airflow.cfg"),
        pytest.param({"auth_method": "private_key_jwt", "private_key": "x"}, id="key"),
        pytest.param({"host": "http://idp.example/token"}, id="plain-http"),
        pytest.param({"jwt_claims": "iss=me"}, id="claims"),
        pytest.param({"post_params": "grant_type=x"}, id="parameters"),
        pytest.param({"tenants": "a.b"}, id="tenants"),
        pytest.param({"login": ""}, id="function-of-another-module"),
    ],
)
def test_a_person_finds_the_sentence_of_a_wrong_field(service: Service, changes: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        OAuth2Hook(connection=service.connection(**changes)).get_token()
    assert sentence_of(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Json({"token_type": "Bearer"}), id="no-token"),
        pytest.param(Json({"access_token": "t"}), id="no-type"),
        pytest.param(Json({"access_token": "t", "token_type": "mac"}), id="other-type"),
        pytest.param(Json({"access_token": "t", "token_type": "Bearer", "scope": 1}), id="scope"),
        pytest.param(Text(200, ""), id="empty"),
        pytest.param(CloseNow(), id="closed"),
        pytest.param(Json({"access_token": "t", "token_type": "Bearer", "scope": "a"}), id="narrower"),
    ],
)
def test_a_person_finds_the_sentence_of_a_response(service: Service, response: Any) -> None:
    service.token = lambda _: response
    with pytest.raises(OAuthError) as caught:
        OAuth2Hook(connection=service.connection(require_scopes="b", max_retry_attempts=0)).get_token()
    assert sentence_of(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"retry_args": {"stop": 3}}, id="tenacity"),
        pytest.param({"pagination_function": print, "response_check": {"status": 200}}, id="pages"),
        pytest.param({"method": "GTE"}, id="method"),
    ],
)
def test_a_person_finds_the_sentence_of_a_wrong_argument(arguments: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        OAuth2HttpOperator(task_id="t", oauth2_conn_id="orders_api", endpoint="x", **arguments)
    assert sentence_of(caught.value), str(caught.value)


def test_a_person_finds_the_sentence_of_a_wrong_name() -> None:
    with pytest.raises(OAuthError) as caught:
        OAuth2Hook("nobody_has_made_it").get_token()
    assert sentence_of(caught.value), str(caught.value)


def test_each_kind_of_error_has_its_table() -> None:
    without = {one.kind for one in sentences() if not any(has(one) for has in _SECTIONS.values())}
    assert without <= {"OAuthError"}, "which names no kind"


def test_other_sentences_are_not_there() -> None:
    assert not sentence_of(OAuthError("the moon did not rise, although that was asked for"))


@pytest.mark.parametrize("code", [*errors._ADVICE, *errors._WITH_DPOP])
def test_each_code_that_has_an_advice_has_a_row(code: str) -> None:
    assert f"| `{code}` |" in (DOCS / "troubleshooting.md").read_text()


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_diagram_is_that_of_its_text_and_can_be_read_aloud(name: str) -> None:
    file = DOCS / "pictures" / f"{name}.svg"
    assert file.read_text() == svg(name), "run: make readme"
    root = ET.fromstring(svg(name))
    title, spoken = (root.findtext(f"{{http://www.w3.org/2000/svg}}{part}") for part in ("title", "desc"))
    assert title
    assert spoken
    assert spoken.count(";") >= 8
    assert [page for page in DOCS.glob("*.md") if f"![{title}" in page.read_text()]


def test_pictures_are_small_and_each_is_shown_with_words_for_it() -> None:
    pictures = [file for file in (DOCS / "pictures").iterdir() if file.suffix in {".svg", ".png"}]
    assert sum(file.stat().st_size for file in pictures) < 400_000
    texts = [page.read_text() for page in DOCS.rglob("*.md") if "_build" not in page.parts]
    for file in pictures:
        described = re.compile(rf"!\[[^\]]{{20,}}\]\((\.\./)?pictures/{re.escape(file.name)}\)")
        assert any(described.search(text) for text in texts), file.name


TEXTS = {
    page.relative_to(ROOT).as_posix(): page.read_text()
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
    if "_build" not in page.parts
}


def ini(text: str) -> dict[str, Any]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text if text.startswith("[") else f"[environment]\n{text}")
    return {name: dict(section) for name, section in parser.items()}


READERS: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "toml": tomllib.loads,
    "ini": ini,
}
BLOCKS = [
    (page, *block)
    for page, text in TEXTS.items()
    for block in re.findall(r"^```(\w+)\n(.*?)```", text, re.MULTILINE | re.DOTALL)
]


def test_each_block_has_a_language_that_some_test_reads_or_runs() -> None:
    """Python and shell: tests/test_readme.py, tests/test_client_authentication_page.py and others."""
    assert {language for _, language, _ in BLOCKS} <= {"python", "sh", *READERS}


@pytest.mark.parametrize(
    ("page", "language", "block"),
    [
        pytest.param(*block, id=f"{block[0]}-{place}")
        for place, block in enumerate(BLOCKS)
        if block[1] in READERS
    ],
)
def test_a_block_is_what_it_says(page: str, language: str, block: str) -> None:
    content = READERS[language](block)
    assert content
    if language == "ini":
        assert set(content.get("oauth2", {})) <= set(OPTIONS), page


def test_the_metrics_of_the_page_are_those_of_the_code() -> None:
    page = TEXTS["docs/monitoring.md"]
    metrics = {
        value for name, value in vars(report).items() if name.isupper() and str(value).startswith("oauth2.")
    }
    assert metrics
    assert set(re.findall(r"`(oauth2\.\w+)`", page)) == metrics
    (alerts,) = [
        yaml.safe_load(block)
        for name, language, block in BLOCKS
        if (name, language) == ("docs/monitoring.md", "yaml")
    ]
    rules = alerts["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"airflow_(oauth2_\w+)\{", rule["expr"])}
    assert asked == {"oauth2_token_refusals"}
    assert asked <= {metric.replace(".", "_") for metric in metrics}


@pytest.mark.parametrize(
    "page", ["README.md", "docs/quickstart.md", "docs/glossary.md", "docs/compatibility.md"]
)
def test_sentences_for_newcomers_are_short(page: str) -> None:
    """At most 25 words; tables and code count as what they are."""
    prose = re.sub(r"```.*?```|^[|#].*?$", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL)
    sentences = re.split(r"(?<=[.:;?!])\s+|\n\n|\n- |\n\d+\. ", re.sub(r"\]\([^)]*\)", "]", prose))
    assert [sentence for sentence in sentences if len(sentence.split()) > 25] == []


ELSEWHERE = {"access_token": "t", "token_type": "Bearer", "instance_url": "https://api.elsewhere.example"}
INSTANCE = {"base_url": "{instance_url}/x", "allowed_origins": ["https://*.my.salesforce.com"]}


@pytest.mark.parametrize(
    ("token", "api", "changes", "row"),
    [
        pytest.param(
            Json({"error": "invalid_client"}, 401),
            None,
            {},
            "`InvalidClientError`, `invalid_client`",
            id="client",
        ),
        pytest.param(
            Json({"error": "invalid_scope"}, 400),
            None,
            {},
            "`TokenEndpointError`, `invalid_scope`",
            id="scope",
        ),
        pytest.param(Text(404, "<html>"), None, {}, "`TransportError`, or status 404", id="tenant"),
        pytest.param(Text(200, "<html>log in"), None, {}, "`TokenResponseError`", id="page"),
        pytest.param(
            Json(ELSEWHERE),
            None,
            INSTANCE,
            "`TokenResponseError` that names `allowed_origins`",
            id="instance",
        ),
        pytest.param(None, 401, {}, "`ResourceError`, status 401", id="api-401"),
        pytest.param(None, 403, {}, "`ResourceError`, status 403", id="api-403"),
    ],
)
def test_the_usual_errors_of_a_servers_page_are_those_that_come(
    service: Service, token: Any, api: int | None, changes: dict[str, Any], row: str
) -> None:
    if token is not None:
        service.token = lambda _: token
    service.api = lambda _: Json({}, api or 200)
    with pytest.raises(OAuthError) as caught:
        OAuth2Hook(method="GET", connection=service.connection(max_retry_attempts=0, **changes)).run("orders")
    assert any(f"| {row} |" in text for page, text in TEXTS.items() if "/servers/" in page)
    names = re.findall(r"`(\w+)`", row)
    if "status 404" in row:
        names = ["404"]
    said = f"{type(caught.value).__name__} {caught.value}"
    assert all(name in said for name in names), said
    assert "status" not in row or row.rsplit("status ", 1)[-1][:3] in said
