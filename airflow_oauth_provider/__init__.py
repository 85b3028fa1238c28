"""OAuth 2.0 client credentials (RFC 6749 §4.4) for Apache Airflow."""

__version__ = "0.1.0"
