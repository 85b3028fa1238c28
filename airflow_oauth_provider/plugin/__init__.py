"""The page "OAuth 2.0 servers" in Airflow's UI.

``entry`` is what Airflow imports everywhere, tasks included, and imports nothing itself. ``airflow_access``
alone knows what is not a stable API of Airflow. The rest is read by the first request.
"""

NAME = "OAuth 2.0 servers"
PREFIX = "/oauth2-servers"
"""Path below which Airflow serves the page."""
STATIC = "/static"
"""Path below that one, of style sheets and scripts."""
