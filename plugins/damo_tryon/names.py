"""Names that hook, operator, sensor and results page have to agree on.

Kept apart because DAG files and every Airflow process read them, and the hook brings two HTTP libraries along.
"""

from __future__ import annotations

from typing import Final

DEFAULT_CONN_ID: Final = "damo_tryon"
"""The Airflow connection that is used when none is named."""
RESULTS_PATH: Final = "/damo-tryon"
"""Where the API server serves the pages of ``damo_tryon.results_page``."""
XCOM_REFUSED: Final = "refused"
"""XCom of the refused looks: ``[{"index": 3, "code": 23500016, "message": "...", "request_id": "..."}]``."""
XCOM_IN_DOUBT: Final = "in_doubt"
"""XCom of the looks that are in doubt; the same shape."""
XCOM_RESULTS: Final = "results"
"""XCom of what the results page goes by; see ``damo_tryon.results_note``."""
