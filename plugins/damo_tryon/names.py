"""Names that the submit task and the results page have to agree on.

Kept apart because every Airflow process loads the page's plugin, and this is all it needs of the operator.
"""

from __future__ import annotations

from typing import Final

RESULTS_PATH: Final = "/damo-tryon"
"""Where the API server serves the pages of ``damo_tryon.results_page``."""
XCOM_REFUSED: Final = "refused"
"""XCom of the refused looks: ``[{"index": 3, "code": 23500016, "message": "...", "request_id": "..."}]``."""
XCOM_IN_DOUBT: Final = "in_doubt"
"""XCom of the looks that are in doubt; the same shape."""
XCOM_CONN_ID: Final = "conn_id"
"""XCom of the connection's id, where it is not the default, for the results page."""
