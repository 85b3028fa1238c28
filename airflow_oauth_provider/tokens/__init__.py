"""Access tokens: who has one, who fetches one."""

from airflow_oauth_provider.protocol.access_token import AccessToken, TokenState

__all__ = ["AccessToken", "TokenState"]
