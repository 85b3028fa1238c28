"""Classes of HTTP methods (RFC 9110 §9.2)."""

from __future__ import annotations

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 §9.2.1)."""
IDEMPOTENT = SAFE | {"PUT", "DELETE"}
"""Methods that may be sent twice (RFC 9110 §9.2.2)."""
# TRACE is left out: its response repeats the request, token and all (RFC 9110 §9.3.8).
KNOWN = IDEMPOTENT | frozenset(
    {
        *("POST", "PATCH", "QUERY"),
        # The registry of RFC 9110 §18.2: WebDAV and its relatives.
        *("ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE"),
        *("MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH"),
        *("PROPFIND", "PROPPATCH", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK"),
        *("UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL"),
        # Registered nowhere, yet served by caches and vaults.
        *("PURGE", "BAN", "LIST"),
    }
)
"""Methods that an API may have."""
