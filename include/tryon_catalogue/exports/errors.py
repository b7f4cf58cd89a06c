"""What may be wrong with an export as a whole. Rows that cannot be used are rejections, not errors."""

from tryon_catalogue.storage import shown_place


class ExportError(Exception):
    """An export cannot be read at all. The message says what is wrong, where, and what to do."""

    def __init__(self, source: object, problem: str) -> None:
        super().__init__(shown_place(str(source)), problem)

    def __str__(self) -> str:
        source, problem = self.args
        return f"the export {source} {problem}"


class ExportTooLargeError(ExportError):
    """A part of an export is larger than the settings allow. A person raises the bound, or has the export put right.

    Args:
        what: The part, and where it is.
        key: The bound, a key of ``[export]``.
        most: What it allows, in words.
    """

    def __init__(self, source: object, what: str, key: str, most: str) -> None:
        super().__init__(
            source,
            f"has {what}; at most {most} are taken. Ask the shop to export it again, or raise [export] {key}",
        )


class ExportRefusedError(ExportError):
    """A request names an export that it may not name. Nothing was opened."""


class ExportMissingError(ExportError):
    """There is no export at this place, or not all of it yet. It may only be late."""
