"""The account of a run: every look it asked for has an end or a known place.

``reading`` counts, ``facts`` is what was counted, ``wording`` says it, ``closing`` keeps it and judges the run by it.
"""

from tryon_catalogue.reporting.account.closing import close_run, judge, read_account, refresh_accounts
from tryon_catalogue.reporting.account.facts import Account
from tryon_catalogue.reporting.account.reading import count_run
from tryon_catalogue.reporting.account.wording import headline

__all__ = ["Account", "close_run", "count_run", "headline", "judge", "read_account", "refresh_accounts"]
