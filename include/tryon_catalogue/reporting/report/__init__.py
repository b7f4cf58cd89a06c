"""The report of a run: one HTML file with everything inside, for the people who look after the catalogue.

``facts`` says what a report holds, ``reading`` reads it from the ledger, ``thumbnails`` makes the archive's pictures
small, ``rendering`` makes the page of it, ``rejections`` the spreadsheet. ``command`` is ``tryon report``; ``page``
is the same report in the Airflow UI, and alone here knows Airflow's API server.
"""
