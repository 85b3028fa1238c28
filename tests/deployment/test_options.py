from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_oauth_provider.deployment.options import OPTIONS, SECTION, provider_config


def test_each_option_is_described_for_airflow() -> None:
    (section,) = provider_config().values()
    assert list(provider_config()) == [SECTION]
    assert section["options"].keys() == OPTIONS.keys()
    for name, option in section["options"].items():
        assert {"description", "type", "example", "default", "version_added", "sensitive"} <= option.keys(), (
            name
        )
        assert option["description"].endswith(".")


@pytest.mark.parametrize("name", OPTIONS)
def test_defaults_survive_airflows_formatting_and_are_its_words(name: str) -> None:
    default = OPTIONS[name]["default"]
    assert default.format() == default
    assert OPTIONS[name]["type"] != "boolean" or default in {"True", "False"}


def test_only_the_stores_key_is_masked_by_name() -> None:
    """What is sensitive Airflow masks in every log: ``file`` must not be."""
    options = provider_config()[SECTION]["options"]
    assert [name for name, option in options.items() if option["sensitive"]] == ["store_key"]


def test_it_is_read_while_airflow_sets_up_its_configuration() -> None:
    program = (
        "import sys; import airflow_oauth_provider.deployment.options; "
        "print([name for name in sys.modules if name == 'airflow' or name.startswith('airflow.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
