"""Calling an API with a token, on ``requests`` and on aiohttp."""
