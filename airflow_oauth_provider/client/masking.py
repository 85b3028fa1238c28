"""What is registered with Airflow's secrets masker.

It protects what *users* print and log; what this package says itself passes the redactor
(:mod:`airflow_oauth_provider.protocol.redaction`), whatever the masker knows.

The masker hides exact strings only, so each form in which a secret travels is registered. Its one
regular expression grows with every string, is compiled anew for each and tried on each line of the log,
here and in the task's supervisor, and no string is ever removed. So:

- Of secrets, a task registers all forms. A process that lives on (triggerer, API server) registers
  short pieces of long ones, and a bounded number.
- Of tokens, a task registers the first few as they are, of some more a short piece, and none beyond:
  the thousandth renewal costs what the hundredth did. A process that lives on registers short pieces,
  and a bounded number. A long token is never registered as a whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, quote_plus

from airflow_oauth_provider.deployment.policy import policy_as_read, read_policy
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.confidential_values import confidential_values
from airflow_oauth_provider.protocol.dpop.proof_key import private_part
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key

airflow_channel = threading.RLock()
"""Held around every call to Airflow: its channel to the supervisor has no lock in 3.0 and 3.1.

No event loop waits for it, nor a thread of a library's own: who holds it may be waiting for that loop.
"""
_bookkeeping = threading.Lock()
"""Held while what is registered changes; nobody calls Airflow under it."""

MAX_WHOLE_TOKENS = 4
"""Tokens that a task registers as they are."""
MAX_TASK_TAILS = 8
"""Tokens beyond those of which a task registers the tail."""
MAX_TAILS = 256
"""Tokens of which a process that lives on registers the tail."""
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
_only_here: ContextVar[bool] = ContextVar("_only_here", default=False)
_known: OrderedDict[str, None] = OrderedDict()
_counts: Counter[str] = Counter()
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_PRIVATE_KEY = re.compile("PRIVATE KEY-----(.*?)-----END", re.DOTALL)


@contextmanager
def in_this_process_only() -> Iterator[None]:
    """Register with the masker of this process, and tell no other: where Airflow may not be called."""
    before = _only_here.set(True)
    try:
        yield
    finally:
        _only_here.reset(before)


def mask_settings(settings: ClientSettings) -> None:
    """Register every form of the settings' secrets, once however many uses of a connection have them."""
    if _is_new(_settings_name(settings)):
        for value in _masks_for(settings, lives_on=_lives_on()):
            _mask(value)


def mask_credential(settings: ClientSettings) -> None:
    """Register the secret or key, once: what Airflow does itself for one that lies in the connection."""
    if settings.credential is not None and _is_new("credential:" + token_key(settings)):
        value = settings.credential.reveal()
        for mask in _pieces(value) if len(value) > _LONG else (value,):
            _mask(mask)


def mask_token(token: AccessToken) -> None:
    """Register a token, and the key that was made for it, once, as far as there is room."""
    for mask in _token_masks(token, lives_on=_lives_on()) if _is_new(_token_name(token)) else ():
        _mask(mask)


async def amask_settings(settings: ClientSettings) -> None:
    """Do what :func:`mask_settings` does, in an event loop, as those of processes that live on."""
    known = _settings_name(settings)
    if not _is_new(known):
        return
    try:
        for value in _masks_for(settings, lives_on=True):
            await _amask(value)
    except BaseException:  # cancelled on the way: the next one registers what is missing
        with _bookkeeping:
            _known.pop(known, None)
        raise


async def amask_token(token: AccessToken) -> None:
    """Do what :func:`mask_token` does; event loops are those of processes that live on."""
    for mask in _token_masks(token, lives_on=True) if _is_new(_token_name(token)) else ():
        await _amask(mask)


def _settings_name(settings: ClientSettings) -> str:
    """Return by what the secrets of settings are known to be registered, the same for each tenant."""
    secrets = sorted({*_secrets(settings), *method_of(settings).spellings(settings)})
    return "settings:" + hashlib.sha256("\0".join(secrets).encode("utf-8", "surrogatepass")).hexdigest()


def _token_name(token: AccessToken) -> str:
    """Return by what a token is known to be registered, which is not the token itself."""
    return "token:" + hashlib.sha256(token.value.encode("utf-8", "surrogatepass")).hexdigest()


def _token_masks(token: AccessToken, *, lives_on: bool) -> Iterable[str]:
    """Yield what is registered of a token."""
    own_key = token.own_key if isinstance(token, PrivateToken) else None
    for value in (token.value, *((private_part(own_key),) if own_key else ())):
        mask = _token_mask(value, lives_on=lives_on)
        if mask is not None:
            yield mask


def _token_mask(value: str, *, lives_on: bool) -> str | None:
    """Return what is registered of a token; ``None`` where there is no room left."""
    if lives_on:
        return value[-_PIECE:] if _room("tails", MAX_TAILS) else None
    # Without its signature a JWT is of no use; its header is in other tokens, too.
    part = value.rpartition(".")[2] if value.count(".") == 2 else value
    whole = value if len(part) < _PIECE else part
    if len(whole) <= _LONG and _room("whole", MAX_WHOLE_TOKENS):
        return whole
    return value[-_PIECE:] if _room("task tails", MAX_TASK_TAILS) else None


def secret_forms(settings: ClientSettings) -> Iterable[str]:
    """Yield each secret as it is, percent-encoded, as JSON, line by line, and as Basic."""
    for value in _secrets(settings):
        yield from _forms(value)
    yield from method_of(settings).spellings(settings)


def _secrets(settings: ClientSettings) -> Iterable[str]:
    """Yield each secret, and of a proxy's address the password for itself, too.

    A certificate beside a key is nobody's secret.
    """
    for value in (*(secret.reveal() for secret in settings.secrets()), *confidential_values(settings)):
        yield _CERTIFICATE.sub("", value).strip() if _CERTIFICATE.search(value) else value


def _forms(value: str) -> Iterable[str]:
    yield from (value, quote(value, safe=""), quote_plus(value))
    yield from (json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if not line.startswith("-----"))


def hides_value_of(name: str) -> bool:
    """Whether Airflow takes values of that name for secrets (``password``, ``api_key`` and the like)."""
    # Airflow knows words with underscores: headers have hyphens.
    return any(_module().should_hide_value_for_key(form) for form in (name, name.replace("-", "_")))


def _short_forms(settings: ClientSettings) -> Iterable[str]:
    """Yield what :func:`secret_forms` yields, and of what is long some pieces."""
    for value in dict.fromkeys(_secrets(settings)):
        yield from _pieces(value) if len(value) > _LONG else _forms(value)
    for value in method_of(settings).spellings(settings):
        yield from _pieces(value) if len(value) > _LONG else (value,)


def _pieces(text: str) -> Iterable[str]:
    """Yield short pieces of a long secret, without which the rest is of no use to a reader.

    Of letters and digits alone, so that they stand in all of its forms: no line and no percent sign
    breaks them.
    """
    body = _PRIVATE_KEY.search(text)
    material = (body[1] if body else text).strip()
    if len(material) > 4 * _HEAD:
        material = material[_HEAD:]
    size = -(-len(material) // _PIECES)
    parts = [material[start : start + size] for start in range(0, len(material), size)]
    runs = [max(re.findall("[A-Za-z0-9]+", part), key=len, default="")[:_PIECE] for part in parts]
    yield from [run for run in runs if len(run) == _PIECE] or [material[-_PIECE:]]


def _masks_for(settings: ClientSettings, *, lives_on: bool) -> list[str]:
    """Return what is registered of the settings, as far as there is room.

    In a task the short ones come first: the masker compiles all that it knows anew for each, so that the long
    ones, a key as a whole in each of its spellings, would make every line of the key cost five times as much.
    """
    if not lives_on:
        return sorted(dict.fromkeys(secret_forms(settings)), key=len)
    return [form for form in dict.fromkeys(_short_forms(settings)) if _room("forms", MAX_FORMS)]


def _room(kind: str, most: int) -> bool:
    with _bookkeeping:
        _counts[kind] += 1
        return _counts[kind] <= most


def _is_new(key: str) -> bool:
    with _bookkeeping:
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
    if _only_here.get():
        _mask_here(value)
        return
    try:
        from airflow.sdk.log import mask_secret
    except ImportError:  # Airflow 3.0
        from airflow.sdk.execution_time.secrets_masker import mask_secret

    if len(value) >= read_policy().shortest_masked:
        with airflow_channel:
            mask_secret(value)


def _mask_here(value: str) -> None:
    if len(value) >= policy_as_read().shortest_masked:
        with _bookkeeping:
            _masker().add_mask(value)


async def _amask(value: str) -> None:
    if _only_here.get():
        _mask_here(value)
        return
    if len(value) < read_policy().shortest_masked:
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
    # The inherited locks may be held by threads that are gone.
    global airflow_channel, _bookkeeping
    airflow_channel, _bookkeeping = threading.RLock(), threading.Lock()


os.register_at_fork(after_in_child=_reset_after_fork)
