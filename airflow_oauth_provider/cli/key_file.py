"""Private keys from files: a connection holds texts only, and many keys are binary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow_oauth_provider.authorizations.entered_values import MAX_KEY_FILE, key_text
from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.exceptions import ConfigurationError

_OPTION = "--key-file"


def read_key_file(path: str) -> str:
    """Return a file as the field ``private_key`` takes it: PEM and JWK as they are, others as Base64.

    :raises ConfigurationError: naming the option, when there is no such file, or nothing in it.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
    except OSError as error:
        reason = f"cannot be read: {os.strerror(error.errno or 0)}"
    else:
        return key_text(data, _OPTION)
    raise ConfigurationError(reason, field=_OPTION)


def add_key(args: Any, given: dict[str, Any], faults: Faults, variable: Any) -> None:
    """Fill in the fields that ``--key-file`` and ``--passphrase-env`` stand for.

    :param given: fields of the connection; the key is added.
    :param faults: takes what is wrong, by option.
    :param variable: reads an environment variable; it is given the option's name for its errors.
    """
    for option, value, key in (
        (_OPTION, args.key_file, "private_key"),
        ("--passphrase-env", args.passphrase_env, "private_key_passphrase"),
    ):
        with faults.gathered(key):
            if value is None:
                continue
            if key in given:
                raise ConfigurationError(f"cannot be given together with --set-env {key}", field=option)
            given[key] = read_key_file(value) if option == _OPTION else variable(option, value)
