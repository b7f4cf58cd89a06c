"""The newest export there is, for whoever asks for pictures without naming one."""

from datetime import date, timedelta
from typing import Final

from tryon_catalogue.exports.errors import ExportMissingError
from tryon_catalogue.exports.places import export_files
from tryon_catalogue.settings import ExportSettings

DAYS: Final = 31
"""How far back is looked."""


def newest_export(settings: ExportSettings, day: date) -> tuple[str, date]:
    """Find the export of a date or, where there is none, the newest before it.

    Args:
        day: The newest date to look at.

    Returns:
        Its path or URL, and its date; ``day`` and its path where there is none at all.

    Raises:
        ExportError: A file cannot be opened, or is empty.
    """
    if settings.path_for(day) == settings.path_for(day - timedelta(days=1)):
        return settings.path_for(day), day
    for earlier in (day - timedelta(days=number) for number in range(DAYS)):
        try:
            export_files(settings.path_for(earlier), settings.conn_id, settings.marker)
        except ExportMissingError:
            continue
        return settings.path_for(earlier), earlier
    return settings.path_for(day), day
