"""What is wrong with what a person has entered, gathered."""

from __future__ import annotations

from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.exceptions import ConfigurationError


def test_all_of_a_field_is_kept_once() -> None:
    faults = Faults()
    for message in ("is no key", "is no key", "is too long"):
        with faults.gathered("scope"):
            raise ConfigurationError(message, field="--set")
    with faults.gathered("host"):
        pass
    faults.add(ConfigurationError("a connection needs --client-id ID"), "login")
    assert faults.by_field == {"--set": "is no key; is too long", "": "a connection needs --client-id ID"}
    assert faults.unknown == {"scope", "login"}
    assert [faults.concern(field) for field in ("--set", "login", "host")] == [True, True, False]
