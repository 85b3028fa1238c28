"""Access tokens: who has one, who fetches one."""

from airflow_oauth_provider.protocol.token import AccessToken, TokenState

__all__ = ["AccessToken", "TokenState"]
