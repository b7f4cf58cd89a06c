"""The vendor's operator and sensor, fed from the ledger by a batch's id.

They carry an id in, and result keys and counts out; looks stay in the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from damo_tryon.hooks import DEFAULT_CONN_ID, DamoTryOnHook
from damo_tryon.names import XCOM_CONN_ID
from damo_tryon.operators import SUBMIT_RETRY_POLICY, TryOnResultsLink
from damo_tryon.sensors import OnAllFailed, TryOnResultSensor
from tryon_catalogue.tasks import mover_of, open_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class SubmitBatchOperator(BaseOperator):
    """Submits every look of a batch that is still planned, each exactly once.

    A later try goes on where an earlier one stopped. Looks in doubt are left to a person.

    :param batch_id: the batch's id in the ledger. Templated.
    :param conn_id: the vendor's Airflow connection
    :param kwargs: what ``BaseOperator`` takes
    :raises damo_tryon.errors.TryOnError: the vendor refused a call as a whole, or answers stay away
    """

    template_fields: Sequence[str] = ("batch_id",)
    operator_extra_links = (TryOnResultsLink(),)
    ui_color = "#d9efe4"

    def __init__(self, *, batch_id: int, conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**{"retry_policy": SUBMIT_RETRY_POLICY, **kwargs})
        self.batch_id = batch_id
        self.conn_id = conn_id

    def execute(self, context: Context) -> list[str]:
        """Submit, and return the result keys that are not collected yet, for the page of results."""
        # Heavy imports wait until the task runs: the DAG file imports this module each time it is parsed.
        from tryon_catalogue.ledger.journal import load_batch  # noqa: PLC0415
        from tryon_catalogue.submission import open_result_keys, submit_batch  # noqa: PLC0415

        settings, engine = open_ledger()
        batch = load_batch(engine, self.batch_id)
        if self.conn_id != DEFAULT_CONN_ID:
            context["ti"].xcom_push(XCOM_CONN_ID, self.conn_id)
        hook = DamoTryOnHook(self.conn_id)
        hook.get_conn()  # an unusable connection is to be found out before there is any intent
        done = submit_batch(engine, hook.submit, batch, mover_of(context), settings.price)
        self.log.info(
            "Batch %d: %d looks accepted, %d refused, %d in doubt",
            batch.id,
            done.accepted,
            done.rejected,
            done.in_doubt,
        )
        return open_result_keys(engine, batch)


class WaitForBatchSensor(TryOnResultSensor):
    """Waits until the vendor has ended everything of a batch that is paid for, whatever became of its submitting.

    :param batch_id: the batch's id in the ledger. Templated.
    :param kwargs: what ``TryOnResultSensor`` takes, but for the result keys
    """

    template_fields: Sequence[str] = ("batch_id", "conn_id")

    def __init__(self, *, batch_id: int, **kwargs: Any) -> None:
        # That all failed is for the account to judge, which sees the whole run.
        super().__init__(
            result_keys=[], **{"deferrable": True, "on_all_failed": OnAllFailed.CONTINUE, **kwargs}
        )
        self.batch_id = batch_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look up the batch's open result keys in the ledger, then wait for them."""
        from tryon_catalogue.ledger.journal import load_batch  # noqa: PLC0415  # heavy, see above
        from tryon_catalogue.submission import open_result_keys  # noqa: PLC0415  # heavy, see above

        _, engine = open_ledger()
        self.result_keys = open_result_keys(engine, load_batch(engine, self.batch_id))
        return super().execute(context)
