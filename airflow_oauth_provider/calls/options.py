"""The ``extra_options`` of a call, for their checks; imports nothing, since every DAG file imports it."""

from __future__ import annotations

SESSION_OPTIONS = ("verify", "verify_ssl", "cert", "proxies", "proxy")
"""Those that make a session of its own necessary."""
FLAGS = ("check_response", "allow_redirects", "stream")
"""Those that are true or false."""
OPTIONS = frozenset({"timeout", "total_timeout", *FLAGS, *SESSION_OPTIONS})
"""All."""
