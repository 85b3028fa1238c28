"""From one Airflow connection to checked settings."""
