"""Read the assertion that a platform keeps in a file."""

from __future__ import annotations

import time

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.assertion_shape import is_signed_jwt
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.transport.confined_files import ConfinedFileError, read_confined

MAX_ASSERTION = 64 * 1024
"""Bytes of a file."""
_WRITTEN_WITHIN = (0.05, 0.2)
"""Seconds to wait for somebody who writes a file in place: it is empty, or half a JWT, for a moment."""


def read_assertion(file: AssertionFile, *, waits: bool = False) -> Secret | ConfigurationError:
    """Return what the file holds now, or why that is no assertion; no error repeats any of it.

    :param waits: read again after a moment where the file holds none: its writer may be halfway.
    """
    for seconds in (*_WRITTEN_WITHIN, None) if waits else (None,):
        try:
            content = read_confined(file.path, file.folder, limit=MAX_ASSERTION)
        except ConfinedFileError as error:
            return _unusable(f"the file {error}")
        text = content.decode("latin-1").strip()
        if is_signed_jwt(text):
            return Secret(text)
        if seconds is not None:
            time.sleep(seconds)
    return _unusable("the file holds no signed JWT")


def _unusable(reason: str) -> ConfigurationError:
    return ConfigurationError(f"cannot be used: {reason}", field="assertion_file")
