"""What every test of the page in a browser is about."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.plugin.entry import OAuth2ServersPlugin

MARKS = [
    pytest.mark.browser,
    pytest.mark.slow,
    # The first test also starts Airflow, which takes minutes where nothing is compiled yet.
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not hasattr(OAuth2ServersPlugin, "external_views"), reason="pages exist from Airflow 3.1 on"
    ),
]
