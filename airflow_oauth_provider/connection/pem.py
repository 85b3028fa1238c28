"""Keys and certificates as PEM, in the ways in which they get into a connection or a file (RFC 7468)."""

from __future__ import annotations

import re

_BEGIN = "-----BEGIN"
# What YAML, templates and editors leave around lines. U+FEFF is the mark that Windows begins a file with.
_AROUND_LINES = re.compile(r"^[ \t\ufeff]+|[ \t]+$", re.MULTILINE)


def plain_pem(text: str) -> str:
    r"""Return a PEM with nothing around its lines, and with line breaks where there is ``\n`` in letters.

    So environment variables and one-line form fields carry one. OpenSSL reads less than ``cryptography``
    does, and the masker of Airflow knows a key by its lines.

    :return: any other text as it is.
    """
    if _BEGIN not in text:
        return text
    return _AROUND_LINES.sub("", text.replace("\\r", "").replace("\\n", "\n"))
