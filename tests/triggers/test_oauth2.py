from __future__ import annotations

import pytest

from airflow_oauth_provider.triggers import oauth2

pytestmark = [pytest.mark.airflow]


@pytest.mark.parametrize("name", oauth2.__all__)
def test_triggers_are_imported_from_here_whatever_module_they_are_in(name: str) -> None:
    trigger = getattr(oauth2, name)
    assert trigger.__name__ == name
    assert trigger.__module__.startswith("airflow_oauth_provider.triggers.")
