"""Feeds for shopping sites into tables: RSS or Atom, one item for each garment, a column for each element in it.

The names are those of the elements without their namespace. Where an item has `title` and `g:title`, the second counts;
an element that stands there several times is several values.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Final
from xml.parsers import expat

from tryon_catalogue.exports.columns import columns_to_read
from tryon_catalogue.exports.errors import ExportError, ExportTooLargeError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, Tables, by_rows_and_text, text_frame
from tryon_catalogue.settings import ExportSettings

ITEMS: Final = frozenset({"item", "entry", "product"})
"""What an item is called in RSS, in Atom, and by programs of their own ways."""
_BLOCK: Final = 1 << 16
_FIRST_ITEMS: Final = 1000
"""Items of which any may show an element."""
_GOOGLE: Final = "base.google.com"
_Item = Mapping[str, Sequence[str]]


def xml_tables(file: ExportFile, settings: ExportSettings) -> Tables:
    """Look into a feed, and give its tables: at most ``settings.chunk_rows`` rows each.

    The feed is read through once for this, as a sheet of a workbook is.

    Raises:
        ExportError: It is no feed, is damaged, or lacks an element that is needed.
    """
    header = xml_header(file, settings)
    found = columns_to_read(file, header, settings)

    def read(columns: Sequence[str]) -> Iterator[Table]:
        return _tables(file, {name: header[found[name]] for name in columns}, settings)

    deque(read(()), maxlen=0)
    return Tables(read, tuple(found))


def xml_header(file: ExportFile, settings: ExportSettings) -> list[str]:
    """Give the names of the elements of a feed's first items.

    Raises:
        ExportError: It is no feed, or is damaged.
    """
    names: dict[str, None] = {}
    number = 0
    with file.open() as stream:
        for number, item in enumerate(_items(file, stream, settings.longest_line), start=1):
            names.update(dict.fromkeys(item))
            if number == _FIRST_ITEMS:
                break
    if not number:
        listed = ", ".join(sorted(ITEMS))
        raise ExportError(
            file,
            f"is XML without an item of a shopping feed ({listed}); CSV, Excel, Parquet, JSON and feeds are read",
        )
    return list(names)


def _tables(file: ExportFile, elements: Mapping[str, str], settings: ExportSettings) -> Iterator[Table]:
    with file.open() as stream:
        items = enumerate(_items(file, stream, settings.longest_line), start=1)
        rows = (
            (number, ["\n".join(item.get(name, ())) for name in elements.values()]) for number, item in items
        )
        for some in by_rows_and_text(rows, settings.chunk_rows, lambda row: sum(map(len, row[1]))):
            columns = {name: [row[at] for _, row in some] for at, name in enumerate(elements)}
            yield Table([number for number, _ in some], text_frame(columns, len(some)))


class _Feed:
    """Collects the items of a feed while it is taken apart."""

    def __init__(self, file: ExportFile) -> None:
        self._file = file
        self._item: dict[str, list[str]] | None = None
        self._of_google: set[str] = set()
        self._inside: list[str] = []
        self._text: list[str] = []
        self.done: list[_Item] = []
        self.since_item = 0

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if self._item is None:
            if local in ITEMS:
                self._item, self._inside, self._of_google = {}, [], set()
            return
        self._inside.append(local)
        self._text.clear()

    def text(self, text: str) -> None:
        if self._item is not None:
            self._text.append(text)

    def end(self, name: str) -> None:
        if self._item is None:
            return
        if not self._inside:
            self.done.append(self._item)
            self._item, self.since_item = None, 0
            return
        path = ".".join(self._inside)
        self._inside.pop()
        value = "".join(self._text).strip()
        self._text.clear()
        of_google = _GOOGLE in name
        if of_google and path not in self._of_google:
            self._of_google.add(path)
            self._item[path] = []
        if value and (of_google or path not in self._of_google):
            self._item.setdefault(path, []).append(value)

    def refuse(self, *_: object) -> None:
        raise ExportError(
            self._file, "has a document type in its XML, which no feed needs; ask the shop to export it again"
        )


def _items(file: ExportFile, stream: IO[bytes], longest: int) -> Iterator[_Item]:
    """Give the items of a feed: name of an element -> its texts. Never more than an item is held.

    Args:
        longest: Bytes of one item at most.

    Raises:
        ExportError: It is damaged, or has a document type, in which texts could stand that are enormous unpacked.
        ExportTooLargeError: An item is longer.
    """
    feed = _Feed(file)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = feed.start, feed.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = feed.text, feed.refuse
    more = True
    while more:
        block = stream.read(_BLOCK)
        more = bool(block)
        feed.since_item += len(block)
        try:
            parser.Parse(block, not more)
        except (expat.ExpatError, LookupError, ValueError) as wrong:
            problem = f"is damaged, its XML cannot be read ({wrong}); ask the shop to export it again"
            raise ExportError(file, problem) from wrong
        yield from feed.done
        feed.done.clear()
        if feed.since_item > longest:
            what = f"an item of more than {longest:,} bytes in its XML"
            raise ExportTooLargeError(file, what, "longest_line", f"{longest:,}")
