"""The table of methods: nobody else knows one by its name, and the form offers each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import airflow_oauth_provider
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.protocol.client.methods import METHODS

PACKAGE = Path(airflow_oauth_provider.__file__).parent
# Where the methods are defined, and the settings' default is one of them.
KNOWN = {"protocol/client/methods.py", "protocol/settings.py"}


def literals(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_other_module_names_a_method() -> None:
    for file in PACKAGE.rglob("*.py"):
        named = {text for text in literals(file) if text in METHODS or text.endswith("_jwt")}
        assert not named or str(file.relative_to(PACKAGE)) in KNOWN, file


def test_the_form_offers_all() -> None:
    assert dict(FIELDS_BY_KEY["auth_method"].choices) == {name: METHODS[name].label for name in METHODS}
