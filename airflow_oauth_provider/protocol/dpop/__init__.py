"""DPoP: proving, with each request, that a token is in the hands of its client (RFC 9449)."""
