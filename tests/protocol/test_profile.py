from __future__ import annotations

from airflow_oauth_provider.protocol.client.algorithms import ALGORITHMS
from airflow_oauth_provider.protocol.profile import DEFAULT_PROFILE, PROFILES
from airflow_oauth_provider.protocol.settings import ClientSettings


def test_the_default_leaves_everything() -> None:
    standard = PROFILES[DEFAULT_PROFILE]
    assert (standard.name, standard.algorithms, standard.strict) == ("standard", None, False)
    assert ClientSettings.profile == DEFAULT_PROFILE


def test_what_fapi2_leaves_are_algorithms_that_keys_have() -> None:
    algorithms = PROFILES["fapi2"].algorithms
    assert algorithms is not None
    assert set(algorithms) == {"PS256", "ES256", "EdDSA", "Ed25519"}
    assert set(algorithms) <= ALGORITHMS.keys()


def test_a_rule_says_where_it_stands() -> None:
    assert PROFILES["fapi2"].rule("5.4.1") == "profile fapi2: FAPI 2.0 Security Profile §5.4.1"
