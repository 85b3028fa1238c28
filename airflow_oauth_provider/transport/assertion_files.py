"""Read the assertion that a platform keeps in a file."""

from __future__ import annotations

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.assertion_shape import is_signed_jwt
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.transport.confined_files import ConfinedFileError, read_confined

MAX_ASSERTION = 64 * 1024
"""Bytes of a file."""


def read_assertion(file: AssertionFile) -> Secret | ConfigurationError:
    """Return what the file holds now, or why that is no assertion; no error repeats any of it."""
    try:
        content = read_confined(file.path, file.folder, limit=MAX_ASSERTION)
    except ConfinedFileError as error:
        return ConfigurationError(f"cannot be used: the file {error}", field="assertion_file")
    text = content.decode("latin-1").strip()
    if not is_signed_jwt(text):
        return ConfigurationError("cannot be used: the file holds no signed JWT", field="assertion_file")
    return Secret(text)
