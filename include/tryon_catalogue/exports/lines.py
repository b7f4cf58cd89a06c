"""Lines of an export that is several files: counted on from file to file, and named as people know them."""

from bisect import bisect_right


class Lines:
    """Where each file of an export begins. One number then names a row of the whole export."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._names: list[str] = []
        self._last = 0

    def begin(self, name: str) -> None:
        """Count on in the next file.

        Args:
            name: What people know it by; "" when there is no other.
        """
        self._starts.append(self._last)
        self._names.append(name)

    @property
    def several(self) -> bool:
        """Whether files have names that people know them by."""
        return any(self._names)

    def counted_on(self, line: int) -> int:
        """Give the number of a line of the current file in the whole export."""
        number = self._starts[-1] + line
        self._last = max(self._last, number)
        return number

    def where(self, number: int) -> str:
        """Give a line's file and its number there; "" where there is only one file."""
        at = bisect_right(self._starts, number - 1) - 1
        name = self._names[at]
        return f"{name}, line {number - self._starts[at]}" if name else ""
