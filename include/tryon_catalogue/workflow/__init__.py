"""What Airflow sees: the tasks, operators, sensors, triggers and plugins that DAGs are made of."""
