"""What Airflow learns of the provider, and the form it builds from it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import pytest
import yaml
from airflow.providers.common.compat.notifier import BaseNotifier
from airflow.providers_manager import ProvidersManager

try:
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as HooksManager
except ImportError:  # before Airflow 3.2
    HooksManager = ProvidersManager

from airflow_oauth_provider.connection import fields
from airflow_oauth_provider.connection.field_kinds import Kind
from airflow_oauth_provider.connection.fields import FIELDS, HIDDEN_STANDARD_FIELDS, STANDARD_FIELDS
from airflow_oauth_provider.connection.provider_form import connection_fields, form_schema
from airflow_oauth_provider.deployment import options as configuration
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.get_provider_info import get_provider_info
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.sharing import ALONE
from tests.readme import PROVIDER_YAML, provider_yaml

pytestmark = pytest.mark.airflow

VERSION = tuple(int(part) for part in airflow.__version__.split(".")[:2])
# What Airflow takes for the name of a secret, in any part of a field's name.
MASKED_WORDS = (
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "secret",
    "token",
    "keyfile_dict",
    "service_account",
    "proxy",
    "proxies",
)


PRINT_FORM = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
(meta,) = [m for m in HookMetaService.hook_meta_data() if m.connection_type == "oauth2_client_credentials"]
standard = meta.standard_fields
hidden = [standard.port.hidden, standard.url_schema.hidden]
extra = list(meta.extra_fields or {})
print(json.dumps({"name": meta.hook_name, "extra": extra, "host": standard.host.title, "hidden": hidden}))
"""


def test_airflow_accepts_it() -> None:
    import jsonschema

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_provider_yaml_says_the_same() -> None:
    written = PROVIDER_YAML.read_text()
    assert written == provider_yaml(), "run: make readme"
    content = yaml.safe_load(written)
    assert {key: content.pop(key) for key in get_provider_info()} == get_provider_info()
    assert content.keys() == {"state", "lifecycle", "source-date-epoch"}


@pytest.mark.skipif(VERSION < (3, 3), reason="older schemas lack what newer Airflow reads")
def test_provider_yaml_has_airflows_own_form() -> None:
    import jsonschema

    schema = json.loads((Path(airflow.__file__).parent / "provider.yaml.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(PROVIDER_YAML.read_text()), schema)


def test_airflow_finds_it() -> None:
    (point,) = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if point.value.startswith("airflow_oauth")
    ]
    assert point.load() is get_provider_info
    manager = ProvidersManager()
    assert "airflow-oauth-provider" in manager.providers
    hook = HooksManager().hooks[fields.CONNECTION_TYPE]
    assert hook is not None
    assert hook.hook_name == fields.HOOK_NAME
    assert hook.connection_id_attribute_name == "oauth2_conn_id"


def test_everything_it_names_exists() -> None:
    info = get_provider_info()
    for kind in ("operators", "hooks"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                importlib.import_module(module)
    for entry in info["notifications"]:
        module, _, name = entry.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), name), BaseNotifier)
    module, _, name = fields.HOOK_CLASS.rpartition(".")
    assert getattr(importlib.import_module(module), name) is OAuth2Hook


def test_it_is_read_without_importing_airflow() -> None:
    """Airflow reads it while its configuration is being set up, in every command."""
    program = (
        "import sys; from airflow_oauth_provider.get_provider_info import get_provider_info as g; g();"
        "print([m for m in sys.modules if m.split('.')[0] in ('airflow', 'requests', 'cryptography', 'jwt')])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


def test_airflow_masks_the_secret_fields_and_no_others() -> None:
    for entry in FIELDS:
        masked = any(word in entry.key for word in MASKED_WORDS)
        assert masked == entry.secret, f"{entry.key}: choose a name that Airflow masks, or does not"


def test_airflows_own_list_agrees() -> None:
    try:
        from airflow.sdk._shared.secrets_masker import should_hide_value_for_key
    except ImportError:
        from airflow.sdk.execution_time.secrets_masker import should_hide_value_for_key
    for entry in FIELDS:
        if entry.key == "proxy_url" and VERSION < (3, 1):
            continue  # Airflow 3.0 does not mask it; the docs say so
        assert should_hide_value_for_key(entry.key) == entry.secret, entry.key


class TestForm:
    """Both forms come from the one table."""

    def test_every_field_may_be_left_empty(self) -> None:
        for key, given in connection_fields().items():
            assert given["schema"]["type"][1] == "null", key
            assert "pattern" not in given["schema"], "the form does not obey it"
            assert given["label"]
            assert given["description"]

    def test_enumerations_have_labels(self) -> None:
        for entry in FIELDS:
            schema = form_schema(entry)
            if entry.kind is Kind.ENUM:
                assert schema["enum"] == list(schema["values_display"])
                assert entry.default is None or entry.default in schema["enum"]

    @pytest.mark.skipif(VERSION >= (3, 2), reason="Airflow 3.2 and later build the form from provider info")
    def test_the_hook_has_it_for_older_airflow(self) -> None:
        widgets = OAuth2Hook.get_connection_form_widgets()
        assert list(widgets) == [entry.key for entry in FIELDS]
        behaviour = OAuth2Hook.get_ui_field_behaviour()
        assert behaviour["hidden_fields"] == list(HIDDEN_STANDARD_FIELDS)
        assert set(behaviour["relabeling"]) == {entry.key for entry in STANDARD_FIELDS}

    def test_the_api_server_shows_it(self) -> None:
        """In a process of its own: Airflow reads hooks once, and warns of itself meanwhile."""
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PRINT_FORM], capture_output=True, text=True, check=True
        )
        form = json.loads(ended.stdout.strip().splitlines()[-1])
        assert form["name"] == fields.HOOK_NAME
        assert form["extra"] == [entry.key for entry in FIELDS]
        assert form["host"] == "Access token URL"
        assert form["hidden"] == [True, True]


class TestConfiguration:
    """Section ``[oauth2]`` of ``airflow.cfg``."""

    def test_defaults_reach_conf(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.providers.common.compat.sdk import conf

        monkeypatch.delenv("AIRFLOW__OAUTH2__TOKEN_STORE")
        ProvidersManager().initialize_providers_configuration()
        for name, option in configuration.OPTIONS.items():
            assert conf.get(configuration.SECTION, name, fallback=None) in {option["default"], None}
        assert replace(read_policy(), sharing=ALONE) == Policy()
        assert read_policy().sharing.store.kind == "file"

    def test_the_environment_sets_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "ALLOWED_TOKEN_HOSTS": "idp.example, *.login.example:8443",
            "ALLOWED_API_HOSTS": "api.example",
            "ALLOWED_PROXIES": "proxy.example:3128",
            "CUSTOM_PROVIDERS": '{"corp": "company.tokens.fetch"}',
            "ALLOW_UNVERIFIED_TLS": "True",
            "DEFAULT_CATEGORY": "integration",
            "HISTORY_DAYS": "30",
        }.items():
            monkeypatch.setenv(f"AIRFLOW__OAUTH2__{name}", value)
        assert read_policy() == Policy(
            token_hosts=("idp.example", "*.login.example:8443"),
            api_hosts=("api.example",),
            proxies=("proxy.example:3128",),
            custom_providers={"corp": "company.tokens.fetch"},
            allow_unverified_tls=True,
            default_category="integration",
            sharing=replace(ALONE, history_days=30),
        )


def test_no_option_makes_airflow_mask_ordinary_words() -> None:
    """Airflow masks the values of sensitive options everywhere, defaults included."""
    for name, option in configuration.OPTIONS.items():
        assert not (option.get("sensitive") and option["default"]), name
    program = "import airflow.sdk, airflow.settings; airflow.settings.initialize()"
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    assert "too short" not in printed.stdout + printed.stderr
