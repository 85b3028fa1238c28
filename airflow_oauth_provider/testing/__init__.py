"""For tests of DAGs: a pytest plugin with an authorization server and an API that do as a test says."""
