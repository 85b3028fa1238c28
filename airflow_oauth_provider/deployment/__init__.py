"""Section ``[oauth2]`` of ``airflow.cfg``: what a connection must not decide."""
