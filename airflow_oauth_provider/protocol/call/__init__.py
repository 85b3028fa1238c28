"""Calling an API with a token: where it may go, what a response means."""
