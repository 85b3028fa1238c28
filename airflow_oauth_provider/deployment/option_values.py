"""The values of the options of ``[oauth2]`` in ``airflow.cfg``: read and checked one by one.

An option that is malformed is a :class:`ConfigurationError` that names it and never repeats its value: an
address, a key and a list of credentials hold secrets.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from contextlib import suppress
from pathlib import Path

from airflow_oauth_provider.deployment.credentials import (
    CredentialsError,
    ExternalCredential,
    parse_credentials,
)
from airflow_oauth_provider.deployment.options import SECTION
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.urls import UrlError, split_pattern
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores import UnknownStoreError, open_store

STORE_KEY_BYTES = 32
DAYS, MOST_DAYS = 7, 90
"""Days of history where nothing is said, and at the most."""
EVERY_CONNECTION = "*"
SHORTEST_MASKED = 5
"""Airflow's own default of ``[logging] min_length_masked_secret``."""


def text(option: str) -> str:
    """Return an option as it stands, without the space around it; empty where nothing is said."""
    from airflow.providers.common.compat.sdk import conf

    with suppress(Exception):  # of the configuration's own syntax, which repeats the value
        return str(conf.get(SECTION, option, fallback="") or "").strip()
    raise bad_option(option, "cannot be read: is each % in it written as %%?")


def boolean(option: str) -> bool:
    """Return whether an option is set; false where nothing is said."""
    from airflow.providers.common.compat.sdk import conf

    with suppress(Exception):  # Airflow's own, which repeats the value
        return bool(conf.getboolean(SECTION, option, fallback=False))
    raise bad_option(option, "must be True or False")


def shortest_masked() -> int:
    """Return the characters of the shortest secret that Airflow masks; it warns of each shorter one."""
    from airflow.providers.common.compat.sdk import conf

    try:
        return int(conf.getint("logging", "min_length_masked_secret", fallback=SHORTEST_MASKED))
    except Exception:  # Airflow itself falls back then
        return SHORTEST_MASKED


def hosts(option: str) -> tuple[str, ...]:
    """Return the patterns of hosts that an option lists."""
    patterns = _entries(option)
    for pattern in patterns:
        try:
            split_pattern(pattern)
        except UrlError as error:
            raise bad_option(option, str(error)) from error
    return patterns


def custom_providers() -> dict[str, str]:
    """Return the dotted paths of token callables by their names."""
    listed, value, broken = text("custom_providers"), None, False
    try:
        value = json.loads(listed or "{}")
    except (ValueError, RecursionError):  # which holds the text: ours is raised outside of this block
        broken = True
    if broken:
        raise bad_option("custom_providers", "is not valid JSON")
    if not isinstance(value, dict) or not all(isinstance(path, str) for path in value.values()):
        raise bad_option("custom_providers", "must be a JSON object of names and dotted paths")
    return value


def credentials() -> dict[str, ExternalCredential]:
    """Return the credentials that lie outside of the connections, by their names."""
    listed = text("credentials")
    try:
        return parse_credentials(listed)
    except CredentialsError as error:
        reason = str(error)
    raise bad_option("credentials", reason)


def assertion_folders() -> tuple[str, ...]:
    """Return the folders in which a connection may name files with assertions."""
    folders = _entries("assertion_folders")
    for folder in folders:
        path = Path(folder)
        if not path.is_absolute() or ".." in path.parts or path == Path("/"):
            raise bad_option(
                "assertion_folders", "must list absolute paths of folders, and not the root of all"
            )
    return folders


def lent_connections() -> tuple[str, ...]:
    """Return the ids of connections whose tokens others may use; :data:`EVERY_CONNECTION` stands for all."""
    ids = _entries("lent_connections")
    if any(
        not entry.isprintable() or (EVERY_CONNECTION in entry and entry != EVERY_CONNECTION) for entry in ids
    ):
        raise bad_option("lent_connections", f"must list connection ids, or {EVERY_CONNECTION} alone for all")
    return ids


def sharing() -> Sharing:
    """Return with whom tokens are shared, under which keys, and the days that their history is kept."""
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))).expanduser()
    address = text("token_store") or "file"  # outside of the block below: our error is a ValueError, too
    try:
        store = open_store(address, home)
    except ImportError:
        reason = "needs the package redis: install airflow-oauth-provider[redis]"
    except UnknownStoreError as error:
        reason = str(error)
    except ValueError:  # of the Redis client: it repeats the address, with its password
        reason = "is no valid address of a Redis server"
    else:
        return Sharing(store, _store_keys(), _history_days())
    raise bad_option("token_store", reason)


def bad_option(option: str, reason: str) -> ConfigurationError:
    """Return the error that names an option, for raising."""
    return ConfigurationError(f"[{SECTION}] {option} in airflow.cfg {reason}", field=option)


def _entries(option: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text(option).split(",") if entry.strip())


def _store_keys() -> tuple[Secret, ...]:
    return tuple(_store_key(key) for key in text("store_key").replace(",", " ").split())


def _store_key(encoded: str) -> Secret:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != STORE_KEY_BYTES:
        raise bad_option("store_key", f"must be Base64 of {STORE_KEY_BYTES} bytes (several, newest first)")
    return Secret(encoded)


def _history_days() -> int:
    days = text("history_days")
    if not days:
        return DAYS
    if not re.fullmatch(r"[0-9]{1,2}", days) or int(days) > MOST_DAYS:
        raise bad_option("history_days", f"must be a number from 0 to {MOST_DAYS}")
    return int(days)
