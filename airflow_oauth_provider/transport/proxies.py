"""Which proxy an address goes through, and what names it.

The connection's ``proxy_url`` wins over ``HTTPS_PROXY`` and its kin, and ``NO_PROXY`` holds for these
only. What is reached in plain http is this machine itself, so that never goes through a proxy: it would
carry the secret in clear text to another host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests.utils

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.urls import canonical_host
from airflow_oauth_provider.transport.steps import StepName, recording

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNFIT = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True)
class Proxy:
    """A proxy between here and a server.

    :param url: its address, with its credentials.
    :param source: what names it: an environment variable, a connection field, an argument.
    """

    url: str = field(repr=False)
    source: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} ({self.source})"

    @property
    def encrypted(self) -> bool:
        """Whether the way to the proxy itself is encrypted."""
        return self.url.lower().startswith("https:")

    def mapping(self) -> dict[str, str]:
        """Return the ``proxies`` argument of ``requests``."""
        return {"https": self.url}


def proxy_for(
    url: str, network: NetworkSettings, chosen: Mapping[str, str | None] | None = None
) -> Proxy | None:
    """Return the proxy that a request to *url* goes through; ``None`` for none.

    :param chosen: proxies that DAG code names, as in ``requests``; they win.
    :raises ConfigurationError: when its address is malformed: HTTP libraries would repeat it, with its
        password, in their errors.
    """
    with recording(StepName.PROXY) as step:
        proxy = _proxy_of(url, network, chosen)
        if step.observed:
            step.host = urlsplit(url).hostname
            step.note(f"through {proxy}" if proxy else "none")
        return proxy


def _proxy_of(url: str, network: NetworkSettings, chosen: Mapping[str, str | None] | None) -> Proxy | None:
    if urlsplit(url).scheme == "http":
        return None
    if chosen:
        return _parsed(requests.utils.select_proxy(url, _filled(chosen)), "proxies")
    if network.proxy_url:
        return _parsed(network.proxy_url.reveal(), "proxy_url")
    return _environment_proxy(url)


def _filled(proxies: Mapping[str, str | None]) -> dict[str, str]:
    return {scheme: proxy for scheme, proxy in proxies.items() if proxy}


def _environment_proxy(url: str) -> Proxy | None:
    try:
        proxies = requests.utils.get_environ_proxies(url)
    except (ValueError, TypeError, OSError):  # of an odd entry in the list
        proxies = None
    if proxies is None:
        raise ConfigurationError(
            "is malformed: it must be a comma-separated list of hosts", field=_variable("no_proxy")
        )
    for key in (urlsplit(url).scheme, "all"):
        if proxies.get(key):
            return _parsed(proxies[key], _variable(f"{key}_proxy", proxies[key]))
    return None


def _variable(name: str, value: str | None = None) -> str:
    """Return the environment variable that is meant, as it is spelled there."""
    spelled = (entry for entry in sorted(os.environ, reverse=True) if entry.lower() == name)
    return next((entry for entry in spelled if value in {None, os.environ[entry]}), name)


def _parsed(text: str | None, source: str) -> Proxy | None:
    if not text:
        return None
    proxy = _read(text, source)
    if proxy is None:
        raise ConfigurationError(
            "the address of the proxy is malformed: it must be like http://proxy.example:3128",
            field=source,
        )
    return proxy


def _read(text: str, source: str) -> Proxy | None:
    """Return ``None`` for a malformed address; the errors of the libraries would repeat it."""
    try:
        url = str(requests.utils.prepend_scheme_if_needed(text.strip(), "http"))  # type: ignore[no-untyped-call]
        parts = urlsplit(url)
        default = _DEFAULT_PORTS.get(parts.scheme)  # neither library does SOCKS with sockets of ours
        port = default if parts.port is None else parts.port
        if not default or not port or _UNFIT.search(url):
            return None
        return Proxy(url, source, canonical_host(parts.hostname or ""), port)
    except (ValueError, TypeError):  # UrlError is a ValueError
        return None
