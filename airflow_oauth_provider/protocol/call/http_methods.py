"""Classes of HTTP methods (RFC 9110 §9.2)."""

from __future__ import annotations

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 §9.2.1)."""
IDEMPOTENT = SAFE | {"PUT", "DELETE"}
"""Methods that may be sent twice (RFC 9110 §9.2.2)."""
