"""Alibaba DAMO's virtual try-on API for Airflow.

Public modules: ``hooks``, ``operators``, ``sensors``, ``triggers``, ``contract``, ``errors``, ``names``, ``journal``,
``serving`` and ``submitting``. The others may change with any release.
"""
