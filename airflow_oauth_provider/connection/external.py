"""A secret or key that lies outside of the connection, under a name of ``[oauth2] credentials``.

The connection names it and holds no secret itself. The deployment has bound it to hosts of token servers, to
client ids and to hosts of APIs: a connection that wants it elsewhere is refused, and so is one that could
have it read on the way (by a proxy or authorities of its own, or without verifying TLS).
"""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

from airflow_oauth_provider.connection import checks
from airflow_oauth_provider.connection.client_secret import client_secret
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.connection.pem import plain_pem
from airflow_oauth_provider.deployment.credentials import (
    CredentialsError,
    ExternalCredential,
    UnreadableCredentialError,
)
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.credential_sources import ExternalSource
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings

FIELD = "external_credential"
_IN_ITS_PLACE = ("password", "private_key", "private_key_passphrase")
# JSON may escape letters of the name, which nobody does who means well.
_NAMED = re.compile(rf'"{FIELD}"\s*:\s*"|\\u00[2-7]')
_OTHER_SECRETS = ("secret_params", "secret_headers")
_ON_THE_WAY = ("proxy_url", "ca_certificates")


class External:
    """What a connection takes from outside of itself.

    :param policy: what is allowed to a connection that takes it.
    """

    def __init__(self, entry: ExternalCredential, policy: Policy) -> None:
        self.policy = policy
        self._entry = entry
        self._digest = b""

    def fill_in(self, settings: ClientSettings, extra: Extra) -> ClientSettings:
        """Return the settings with the secret or key as it is now.

        :raises ConfigurationError: when there is none, or the method has no use for it.
        """
        method = method_of(settings)
        if method.function is not None and method.needs.secret_field is None:
            extra.fail(FIELD, f"is set, but {method.name} needs neither secret nor key")
        content, passphrase = self._read(extra)
        self._digest = _digest(content, passphrase)
        source = ExternalSource(self._entry.name, self._entry.place.kind)
        if method.needs.secret_field != "private_key":
            secret = client_secret(extra, FIELD, _secret_text(extra, content), self.policy)
            return replace(settings, client_secret=secret, external=source)
        key = extra.secret_of(FIELD, _key_text(content), multiline=True)
        phrase = None if passphrase is None else Secret(_secret_text(extra, passphrase))
        assertion = replace(settings.assertion, private_key=key, private_key_passphrase=phrase)
        return replace(settings, assertion=assertion, external=source)

    def is_current(self) -> bool:
        """Whether all of it is as it was when the connection was read."""
        try:
            return _digest(*self._contents()) == self._digest
        except UnreadableCredentialError:
            return False

    def _read(self, extra: Extra) -> tuple[bytes, bytes | None]:
        try:
            return self._contents()
        except UnreadableCredentialError as error:
            extra.fail(FIELD, f"cannot be read on this machine: {error}")

    def _contents(self) -> tuple[bytes, bytes | None]:
        passphrase = self._entry.passphrase
        return self._entry.place.read(), None if passphrase is None else passphrase.read()


def external_credential(extra: Extra, connection: Any, policy: Policy) -> External | None:
    """Return what a connection takes from outside, if it does.

    :raises ConfigurationError: when it may not, or holds a secret itself.
    """
    name = extra.value(FIELD)
    if name is None:
        return None
    entry = policy.credentials.get(name)
    if entry is None:
        extra.fail(FIELD, f'names "{checks.printable(name)}", which is not in [oauth2] credentials')
    _require_none_in_the_row(extra, connection)
    if str(connection.login or "") not in entry.client_ids:
        extra.fail("login", f'is none of the "client_ids" of the external credential "{entry.name}"')
    if entry.connections and extra.conn_id not in entry.connections:
        extra.fail(FIELD, f'names "{entry.name}", whose "connections" do not list this one')
    try:
        return External(entry, policy.narrowed_to(entry))
    except CredentialsError as error:
        extra.fail(FIELD, f'names "{entry.name}", which {error}')


def names_external(connection: Any) -> bool:
    """Whether a connection may take something from outside, as far as its text shows."""
    return _NAMED.search(str(connection.extra or "")) is not None


def field_of(field: str, settings: ClientSettings) -> str:
    """Return the field that a problem with secret or key is to be told under."""
    return FIELD if settings.external is not None and field in _IN_ITS_PLACE else field


def _require_none_in_the_row(extra: Extra, connection: Any) -> None:
    """Refuse a secret beside an external one, and what could have it read on the way."""
    beside = f"must be empty beside {FIELD}"
    if connection.password:
        extra.fail("password", f"{beside}: the secret lies outside of the connection")
    for field in _IN_ITS_PLACE[1:]:
        if extra.value(field) is not None:
            extra.fail(field, f"{beside}: the key lies outside of the connection")
    require_direct_way(extra, beside)
    kept = [field for field in _OTHER_SECRETS if extra.value(field)]
    if kept:
        fields = " and ".join(kept)
        extra.warnings.append(f"secrets stay in {fields}: {FIELD} stands for client secret or key only")


def require_direct_way(extra: Extra, beside: str) -> None:
    """Refuse what a connection's editor could use to read a credential on its way to the server.

    :param beside: why.
    :raises ConfigurationError: naming the field.
    """
    for field in _ON_THE_WAY:
        if extra.value(field) is not None:
            extra.fail(field, f"{beside}: what it is for could be read on the way")
    if not extra.value("verify_tls"):
        extra.fail("verify_tls", f"must be on: {beside.removeprefix('must be empty ')}, TLS is verified")


def _secret_text(extra: Extra, content: bytes) -> str:
    """Return a secret without the one line end that editors and templates put behind it."""
    try:
        text = content.decode()
    except UnicodeDecodeError:  # which holds the content
        text = None
    if text is None:
        extra.fail(FIELD, "holds a secret that is no text in UTF-8")
    return text.removesuffix("\n").removesuffix("\r")


def _key_text(content: bytes) -> str:
    """Return a key as the connection's field would hold it: PEM, JWK, or Base64 of a PKCS#12 file."""
    with suppress(UnicodeDecodeError):
        text = content.decode()
        if text.isprintable() or "-----BEGIN" in text or text.lstrip().startswith("{"):
            return plain_pem(text)
    return base64.b64encode(content).decode()


def _digest(content: bytes, passphrase: bytes | None) -> bytes:
    return hashlib.sha256(hashlib.sha256(content).digest() + (passphrase or b"")).digest()
