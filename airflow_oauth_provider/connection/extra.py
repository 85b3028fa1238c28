"""Reading of the extra's fields, and of the secrets among them.

Every error names the connection and the field, and never a value.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NoReturn

from airflow_oauth_provider.connection import checks
from airflow_oauth_provider.connection.checks import printable
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import FieldError, parse, parse_extra
from airflow_oauth_provider.connection.tenant import (
    FIELDS_WITH_TENANT,
    PLACEHOLDER,
    has_placeholder,
    is_tenant,
    is_well_placed,
    with_tenant,
)
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ApiSettings, Pairs, SecretPairs

MAX_SECRET = 8 * 1024
MASKED = "***"
"""What Airflow shows in place of a secret."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Extra:
    """The extra of one connection.

    :param text: JSON.
    :raises ConfigurationError: when it is no JSON object.

    ``warnings`` takes what deserves one, while the connection is read; ``has_put_tenant`` tells whether a
    field had a place for the tenant's name.
    """

    def __init__(self, conn_id: str, text: Any) -> None:
        self.conn_id = conn_id
        self.warnings: list[str] = []
        self.has_put_tenant = False
        self._chosen_tenant: str | None = None
        try:
            self.content = parse_extra(text)
        except FieldError as error:
            self.fail("extra", str(error))

    def fail(self, field: str, message: str) -> NoReturn:
        """Refuse the value of a field.

        :raises ConfigurationError: naming connection and field.
        """
        raise ConfigurationError(message, field=field, conn_id=self.conn_id)

    def value(self, key: str) -> Any:
        """Return an extra field's parsed value, or its default."""
        given = self.content.get(key)
        parsed = None
        if given is not None:
            try:
                parsed = parse(FIELDS_BY_KEY[key], given)
            except FieldError as error:
                self.fail(key, str(error))
        value = _default(key) if parsed is None else parsed
        return self.with_tenant(key, value) if key in FIELDS_WITH_TENANT else value

    def choose_tenant(self, name: str | None) -> None:
        """Put another tenant than the connection's into its fields.

        :raises ConfigurationError: for one that the connection does not list.
        """
        listed = self.value("tenants") or ()
        if not all(map(is_tenant, listed)):
            self.fail("tenants", "must list names of 1 to 63 letters, digits and hyphens, one a line")
        if name is not None and name not in listed and name != self.value("tenant"):
            self.fail("tenant", f"{printable(name)} is not one of the connection's tenants")
        self._chosen_tenant = name

    def check_tenant_is_used(self) -> None:
        """Warn of a tenant that no field has a place for.

        :raises ConfigurationError: when a use has chosen it: it would call another tenant than it means.
        """
        if self.has_put_tenant:
            return
        if self._chosen_tenant is not None:
            self.fail("tenant", f"is chosen for this use, but no field of the connection has {PLACEHOLDER}")
        self.warnings += [
            f"{key} is ignored: no field has {PLACEHOLDER}"
            for key in ("tenant", "tenants")
            if self.value(key)
        ]

    def with_tenant(self, field: str, value: Any) -> Any:
        """Return the value of a field with the tenant's name in place of its placeholder."""
        if not has_placeholder(value):
            return value
        name = self.value("tenant") if self._chosen_tenant is None else self._chosen_tenant
        if name is None:
            self.fail(field, f"has {PLACEHOLDER}, and the field tenant is empty: enter the tenant's name")
        if not is_tenant(name):
            self.fail("tenant", "must be 1 to 63 letters, digits and hyphens")
        self.has_put_tenant = True
        return with_tenant(value, name)

    def url_with_tenant(self, field: str, address: str | None) -> Any:
        """Return an address likewise.

        :raises ConfigurationError: where the placeholder could make another host than is meant.
        """
        if address is not None and not is_well_placed(address):
            self.fail(
                field,
                f"must have {PLACEHOLDER} as one whole label of the host, with two fixed ones or more "
                f"behind it, like {PLACEHOLDER}.idp.example",
            )
        return self.with_tenant(field, address)

    def secret(self, key: str) -> Secret | None:
        """Return a secret that may have several lines."""
        value = self.value(key)
        return None if value is None else self.secret_of(key, value, multiline=True)

    def secret_of(self, field: str, value: str, *, multiline: bool) -> Secret:
        """Check a secret that stands in a field."""
        if value.strip() == MASKED:
            self.fail(field, f"is the placeholder {MASKED} and not the secret: enter the secret again")
        if not multiline and CONTROL.search(value):
            self.fail(
                field,
                "contains control characters (perhaps a line break from pasting): enter it without them",
            )
        if len(value.encode(errors="replace")) > MAX_SECRET * (4 if multiline else 1):
            self.fail(field, f"is longer than {MAX_SECRET // 1024 * (4 if multiline else 1)} KiB")
        return Secret(value)

    def scopes(self, key: str) -> tuple[str, ...]:
        """Return scope tokens (RFC 6749 §3.3), each once, in their order."""
        scopes = tuple(dict.fromkeys(filter(None, (self.value(key) or "").split(" "))))
        if not all(checks.is_scope_token(scope) for scope in scopes):
            self.fail(
                key, 'must be space-delimited words of printable ASCII without " and \\ (RFC 6749 §3.3)'
            )
        return scopes

    def headers(self, key: str) -> Pairs:
        """Return headers without the blanks around their values, which are none of theirs (RFC 9110 §5.5)."""
        self._require_no_placeholder(key)
        return tuple((name, value.strip(" \t")) for name, value in self.value(key) or ())

    def secret_headers(self, key: str) -> SecretPairs:
        """Return headers that are secrets."""
        headers = self.headers(key)
        return tuple((name, self.secret_of(key, value, multiline=False)) for name, value in headers)

    def secret_pairs(self, key: str) -> SecretPairs:
        """Return named secrets."""
        self._require_no_placeholder(key)
        pairs = self.value(key) or ()
        return tuple((name, self.secret_of(key, value, multiline=False)) for name, value in pairs)

    def _require_no_placeholder(self, key: str) -> None:
        raw = self.content.get(key)
        if isinstance(raw, str) and raw.strip() == MASKED:
            self.fail(key, f"is the placeholder {MASKED} and not the secrets: enter them again")

    def statuses(self) -> frozenset[int]:
        """Return the statuses by which an API may refuse a dead token."""
        texts = self.value("refresh_on_status")
        if texts is None:
            return ApiSettings().refresh_on_status
        entry = FIELDS_BY_KEY["refresh_on_status"]
        if not all(re.fullmatch(r"[45][0-9]{2}", text) for text in texts) or any(
            int(text) > (entry.maximum or 0) for text in texts
        ):
            self.fail("refresh_on_status", "must list HTTP statuses from 400 to 499, one a line")
        return frozenset(int(text) for text in texts)


@cache
def _default(key: str) -> Any:
    entry = FIELDS_BY_KEY[key]
    return parse(entry, entry.default)
