"""Which proxy an address goes through."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import requests.utils

from airflow_oauth_provider.exceptions import ConfigurationError
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


def proxy_of(url: str, proxies: Mapping[str, str]) -> str | None:
    """Return the one of *proxies* that *url* goes through.

    :raises ConfigurationError: when its address is malformed: HTTP libraries would repeat it, with its
        password, in their errors.
    """
    chosen = requests.utils.select_proxy(url, dict(proxies))
    if chosen is None:
        return None
    try:
        proxy = str(requests.utils.prepend_scheme_if_needed(chosen, "http"))  # type: ignore[no-untyped-call]
        parts = urlsplit(proxy)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            f"the address of the proxy for {urlsplit(url).hostname} is malformed: it must be like "
            "http://proxy.example:3128 (in proxies of the call, or HTTPS_PROXY and its kin)",
            field="proxies",
        )
    return proxy
