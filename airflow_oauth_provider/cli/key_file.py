"""Private keys from files: a connection holds texts only, and many keys are binary."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from airflow_oauth_provider.exceptions import ConfigurationError

MOST = 24 * 1024
"""Bytes of the largest file: what a connection's field takes, before Base64."""
_OPTION = "--key-file"


def read_key_file(path: str) -> str:
    """Return a file as the field ``private_key`` takes it: PEM and JWK as they are, others as Base64.

    :raises ConfigurationError: naming the option, when there is no such file, or nothing in it.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        reason = f"cannot be read ({type(error).__name__})"
    else:
        if 0 < len(data) <= MOST:
            return _text(data)
        reason = "is empty" if not data else f"has more than {MOST // 1024} KiB: a key has less"
    raise ConfigurationError(reason, field=_OPTION)


def add_key(args: Any, given: dict[str, Any], variable: Any) -> None:
    """Fill in the fields that ``--key-file`` and ``--passphrase-env`` stand for.

    :param given: fields of the connection; the key is added.
    :param variable: reads an environment variable; it is given the option's name for its errors.
    :raises ConfigurationError: naming the option at fault.
    """
    for option, value, key in (
        (_OPTION, args.key_file, "private_key"),
        ("--passphrase-env", args.passphrase_env, "private_key_passphrase"),
    ):
        if value is None:
            continue
        if key in given:
            raise ConfigurationError(f"cannot be given together with --set-env {key}", field=option)
        given[key] = read_key_file(value) if option == _OPTION else variable(option, value)


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    # DER may happen to be UTF-8, yet never without control characters.
    if text and all(character.isprintable() or character in "\r\n\t" for character in text):
        return text.strip()
    return base64.b64encode(data).decode()
