"""The command line ``airflow oauth2 …``."""
