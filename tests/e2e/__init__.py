"""Real processes from end to end: Airflow's four, PostgreSQL, the sandbox; nights that are broken on purpose."""
