"""What Airflow's secrets masker is told.

The masker hides exact strings only, so each form in which a secret travels is registered. Its
pattern grows with every string, adding one gets slower with length and number, and none is ever
removed: a process that lives on is told short pieces only of what is long, and a bounded number of
them. What this package says itself is redacted by itself, whatever the masker knows.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from airflow_oauth_provider.deployment.policy import shortest_masked
from airflow_oauth_provider.protocol import settings as s
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.client.methods import basic_value
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key

airflow_channel = threading.RLock()
"""Held around every call to Airflow: its channel to the supervisor has no lock in 3.0 and 3.1."""

MAX_TAILS = 256
"""Tokens of which a process that lives on is told the tail."""
MAX_FORMS = 512
"""Masks for the secrets of connections in such a process."""
_PIECE = 16
"""Characters of a tail or piece: of Base64, 96 bits."""
_PIECES = 3
_LONG = 96
"""Characters from which pieces stand for the whole."""
_HEAD = 64
"""Characters with which a key may begin as all others do."""
_KNOWN = 4096
_known: OrderedDict[str, None] = OrderedDict()
_told = {"tails": 0, "forms": 0}
_PRIVATE_KEY = re.compile("PRIVATE KEY-----(.*?)-----END", re.DOTALL)


def mask_settings(settings: ClientSettings) -> None:
    """Register every form of the settings' secrets, once per settings."""
    if _is_new("settings:" + token_key(settings)):
        for value in _wanted(settings, lives_on=_lives_on()):
            _mask(value)


def mask_token(token: AccessToken) -> None:
    """Register a token, once."""
    if not _is_new("token:" + token.value):
        return
    if not _lives_on():
        _mask(token.value)
    elif _room("tails", MAX_TAILS):
        _mask(token.value[-_PIECE:])


async def amask_settings(settings: ClientSettings) -> None:
    """Do what :func:`mask_settings` does, in an event loop, as those of processes that live on."""
    known = "settings:" + token_key(settings)
    if not _is_new(known):
        return
    try:
        for value in _wanted(settings, lives_on=True):
            await _amask(value)
    except BaseException:  # cancelled on the way: the next one registers what is missing
        with airflow_channel:
            _known.pop(known, None)
        raise


async def amask_token(token: AccessToken) -> None:
    """Register a token, once; event loops are those of processes that live on."""
    if _is_new("token:" + token.value) and _room("tails", MAX_TAILS):
        await _amask(token.value[-_PIECE:])


def secret_forms(settings: ClientSettings) -> Iterable[str]:
    """Yield each secret as it is, percent-encoded, as JSON, line by line, and as Basic."""
    for secret in settings.secrets():
        yield from _forms(secret.reveal())
    yield from _basic_values(settings)


def _forms(value: str) -> Iterable[str]:
    yield from (value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1])
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if not line.startswith("-----"))


def _basic_values(settings: ClientSettings) -> Iterable[str]:
    if settings.client_secret and settings.auth_method == s.CLIENT_SECRET_BASIC:
        for encoding in ("rfc6749", "raw"):
            value = basic_value(settings.client_id, settings.client_secret, encoding)
            yield value.removeprefix("Basic ")


def hides_value_of(name: str) -> bool:
    """Whether Airflow takes values of that name for secrets (``password``, ``api_key`` and the like)."""
    # Airflow knows words with underscores: headers have hyphens.
    return any(_module().should_hide_value_for_key(each) for each in (name, name.replace("-", "_")))


def _short_forms(settings: ClientSettings) -> Iterable[str]:
    """Yield what :func:`secret_forms` yields, and of what is long some pieces."""
    for secret in settings.secrets():
        value = secret.reveal()
        yield from _pieces(value) if len(value) > _LONG else _forms(value)
    for value in _basic_values(settings):
        yield from _pieces(value) if len(value) > _LONG else (value,)


def _pieces(text: str) -> Iterable[str]:
    """Yield short pieces of a long secret, without which it is of no use to whoever reads the rest.

    Of letters and digits alone, so that they stand in all of its forms: no line and no percent sign
    breaks them.
    """
    body = _PRIVATE_KEY.search(text)
    material = (body[1] if body else text).replace("\\n", "\n").strip()
    if len(material) > 4 * _HEAD:
        material = material[_HEAD:]
    size = -(-len(material) // _PIECES)
    parts = [material[start : start + size] for start in range(0, len(material), size)]
    runs = [max(re.findall("[A-Za-z0-9]+", part), key=len, default="")[:_PIECE] for part in parts]
    yield from [run for run in runs if len(run) == _PIECE] or [material[-_PIECE:]]


def _wanted(settings: ClientSettings, *, lives_on: bool) -> list[str]:
    """Return what is to be registered of the settings, as far as there is room."""
    if not lives_on:
        return list(dict.fromkeys(secret_forms(settings)))
    return [form for form in dict.fromkeys(_short_forms(settings)) if _room("forms", MAX_FORMS)]


def _room(kind: str, most: int) -> bool:
    with airflow_channel:
        _told[kind] += 1
        return _told[kind] <= most


def _is_new(key: str) -> bool:
    with airflow_channel:
        if key in _known:
            return False
        _known[key] = None
        while len(_known) > _KNOWN:
            _known.popitem(last=False)
        return True


def _lives_on() -> bool:
    """Whether this process is the API server, which never forgets a mask."""
    return os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "server"


def _mask(value: str) -> None:
    try:
        from airflow.sdk.log import mask_secret
    except ImportError:  # Airflow 3.0
        from airflow.sdk.execution_time.secrets_masker import mask_secret

    if len(value) >= shortest_masked():
        with airflow_channel:
            mask_secret(value)


async def _amask(value: str) -> None:
    if len(value) < shortest_masked():
        return
    try:
        from airflow.sdk.log import amask_secret
    except ImportError:  # before Airflow 3.2: this process's masker only, its channel may not block here
        _masker().add_mask(value)
    else:
        await amask_secret(value)


def _masker() -> Any:
    return _module()._secrets_masker()  # noqa: SLF001


def _module() -> Any:
    try:
        from airflow.sdk._shared import secrets_masker
    except ImportError:  # Airflow 3.0
        from airflow.sdk.execution_time import secrets_masker
    return secrets_masker


def _reset_after_fork() -> None:
    global airflow_channel  # noqa: PLW0603  (the inherited lock may be held by a thread that is gone)
    airflow_channel = threading.RLock()


os.register_at_fork(after_in_child=_reset_after_fork)
