"""Preflight: every picture that an export asks for is fetched and looked at, before anything is paid.

``run`` does it for a run and notes the findings in the ledger, ``images`` fetches and checks a few at a time.
``person_check`` judges who is in a model's picture by what ``person_detector`` finds in it.
"""
