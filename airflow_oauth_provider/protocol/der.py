"""Where in the DER of a private key (X.690 §8) that lies which other keys do not have.

Not a parser of keys (that is :mod:`airflow_oauth_provider.protocol.client.keys`): it only separates the
numbers and octets of a key, encrypted or not, from the framing that all keys of a kind share.
PKCS#1 and PKCS#8 (RFC 8017 §A.1.2, RFC 5958), SEC 1 (RFC 5915), PKCS#12 (RFC 7292).
"""

from __future__ import annotations

_INTEGER, _OCTETS, _SEQUENCE, _CONSTRUCTED = 0x02, 0x04, 0x30, 0x20
_LEAST = 12
"""Bytes below which an element (a version, an exponent) is the same in other keys."""
# RFC 8017 §A.1.2: version, modulus, publicExponent, privateExponent and five more.
_RSA_INTEGERS = 9
_MODULUS = 1

Span = tuple[int, int]


class _Element:
    __slots__ = ("end", "start", "tag")

    def __init__(self, tag: int, start: int, end: int) -> None:
        self.tag = tag
        self.start = start
        self.end = end


def confidential_spans(data: bytes) -> list[Span] | None:
    """Return where the confidential bytes of a key lie: integers and octets, without a public half.

    :return: ``None`` when *data* is no DER.
    """
    if not data or data[0] != _SEQUENCE:
        return None
    try:
        return [span for span in _spans(data, 0, len(data)) if span[1] - span[0] >= _LEAST]
    except (IndexError, ValueError, RecursionError):
        return None


def _spans(data: bytes, start: int, end: int) -> list[Span]:
    elements = _elements(data, start, end)
    integers = [element for element in elements if element.tag == _INTEGER]
    modulus = integers[_MODULUS] if len(integers) == len(elements) >= _RSA_INTEGERS else None
    spans: list[Span] = []
    for element in elements:
        if element.tag & _CONSTRUCTED:
            spans += _spans(data, element.start, element.end)
        elif element.tag == _OCTETS:
            spans += _spans_of_octets(data, element)
        elif element.tag == _INTEGER and element is not modulus:
            spans.append((element.start, element.end))
    return spans


def _spans_of_octets(data: bytes, octets: _Element) -> list[Span]:
    """Octets often hold a key of their own."""
    if octets.start < octets.end and data[octets.start] in {_SEQUENCE, _OCTETS}:
        try:
            return _spans(data, octets.start, octets.end)
        except (IndexError, ValueError):
            pass
    return [(octets.start, octets.end)]


def _elements(data: bytes, start: int, end: int) -> list[_Element]:
    """Return the elements from *start* to *end*.

    :raises ValueError: when that is no DER; or an ``IndexError``.
    """
    elements = []
    while start < end:
        tag, length, first = data[start], data[start + 1], start + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[first : first + size])
            first += size
        start = first + length
        if start > end:
            raise ValueError("an element ends beyond what holds it")
        elements.append(_Element(tag, first, start))
    return elements
