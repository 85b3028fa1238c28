"""What a person sees: Airflow's own pages in a real browser."""
