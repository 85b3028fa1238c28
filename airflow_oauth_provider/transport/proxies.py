"""Which proxy an address goes through."""

from __future__ import annotations

import requests.utils

from airflow_oauth_provider.protocol.settings import NetworkSettings


def proxies_for(url: str, network: NetworkSettings) -> dict[str, str]:
    """Return the ``proxies`` argument for *url*.

    The connection's ``proxy_url`` wins over ``HTTPS_PROXY`` and its kin; ``NO_PROXY`` holds for
    the environment's proxies only.
    """
    if network.proxy_url:
        proxy = network.proxy_url.reveal()
        return {"http": proxy, "https": proxy}
    return dict(requests.utils.get_environ_proxies(url))
