"""Airflow plugins that hold no page."""
