"""Exports that are small on disk and enormous in memory, made as streams; and what becomes of one that is read.

`python bombs.py NAME FILE SHARE` makes one, SHARE times smaller than it might be; called again, it reads the file with
2.5 GB of address space, and prints what came of it as JSON: the error, the seconds, the megabytes at the most.
"""

from __future__ import annotations

import gzip
import json
import resource
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final

ADDRESS_SPACE: Final = 2_500_000_000
MB: Final = 1 << 20
HEADER: Final = b"sku,title,category,image_url\n"
_SHEET: Final = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    b'<row r="1">%s</row>'
)
_TEXTS_OVERRIDE: Final = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType='
    b'"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
_ENTITIES: Final = (
    b'<!DOCTYPE b [<!ENTITY a "'
    + b"x" * 1000
    + b'">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, (b"&a%d;" % (n - 1) if n else b"&a;") * 10) for n in range(9))
    + b"]>"
)


def _gz(path: Path, *parts: bytes | tuple[bytes, int]) -> None:
    """Write parts, or a megabyte's worth of one so many times."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        _write(file, parts)


def _write(file: IO[bytes] | gzip.GzipFile, parts: tuple[bytes | tuple[bytes, int], ...]) -> None:
    for part in parts:
        text, count = part if isinstance(part, tuple) else (part, 1)
        for _ in range(count):
            file.write(text)


def csv_cell(path: Path, share: int) -> None:
    """A cell of 3 GB."""
    _gz(path, HEADER, b'a,"', (b"x" * MB, 3000 // share), b'",dress,u\n')


def csv_fields(path: Path, share: int) -> None:
    """A line of 3 GB whose cells are short."""
    _gz(path, HEADER, (b"x," * (MB // 2), 3000 // share))


def csv_lines(path: Path, share: int) -> None:
    """A row of short cells over many lines, none of which is long."""
    _gz(path, HEADER, (b'"a\nb",' * (MB // 6), 3000 // share))


def csv_rows(path: Path, share: int) -> None:
    """Rows that are each as long as they may be."""
    row = b"%d," + b"x" * 1_000_000 + b",dress,https://a.example/a.jpg\n"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(HEADER)
        for number in range(6000 // share):
            file.write(row % number)


def json_line(path: Path, share: int) -> None:
    """A line of 3 GB."""
    _gz(path, b'{"sku": "a", "title": "', (b"x" * MB, 3000 // share), b'"}\n')


def json_deep(path: Path, share: int) -> None:
    """Lists that stand ten million deep in each other."""
    line = b'{"sku": "a", "category": "dress", "image_url": "https://a.example/a.jpg", "x": '
    depth = 10_000_000 // share // 10
    _gz(path, line, b"[" * depth, b"]" * depth, b"}\n")


def _book(path: Path, sheet: Iterator[bytes], texts: Iterator[bytes] | None = None) -> None:
    import openpyxl

    plain = path.with_suffix(".plain")
    openpyxl.Workbook().save(plain)
    with (
        zipfile.ZipFile(plain) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for part in old.infolist():
            content = old.read(part)
            if texts is not None and part.filename == "[Content_Types].xml":
                content = content.replace(b"</Types>", _TEXTS_OVERRIDE + b"</Types>")
            blocks = sheet if part.filename == "xl/worksheets/sheet1.xml" else iter([content])
            with new.open(part.filename, "w", force_zip64=True) as file:
                file.writelines(blocks)
        if texts is not None:
            with new.open("xl/sharedStrings.xml", "w", force_zip64=True) as file:
                file.writelines(texts)
    plain.unlink()


def _cells(*values: bytes) -> bytes:
    return b"".join(b'<c t="inlineStr"><is><t>%s</t></is></c>' % value for value in values)


_NAMES: Final = _cells(b"sku", b"title", b"category", b"image_url")


def excel_cell(path: Path, share: int) -> None:
    """A cell of 2 GB."""

    def sheet() -> Iterator[bytes]:
        yield _SHEET % _NAMES + b'<row r="2"><c t="inlineStr"><is><t>'
        yield from (b"x" * MB for _ in range(2000 // share))
        yield b"</t></is></c></row></sheetData></worksheet>"

    _book(path, sheet())


def excel_hidden_rows(path: Path, share: int) -> None:
    """The same, with what looks like ends of rows in it."""

    def sheet() -> Iterator[bytes]:
        yield _SHEET % _NAMES + b'<row r="2"><c t="inlineStr"><is><t><![CDATA['
        yield from (b"x</row>" * (MB // 7) for _ in range(2000 // share))
        yield b"]]></t></is></c></row></sheetData></worksheet>"

    _book(path, sheet())


def excel_texts(path: Path, share: int) -> None:
    """A table of texts of 2 GB."""

    def texts() -> Iterator[bytes]:
        yield b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        yield from (b"<si><t>abcdefgh</t></si>" * (MB // 24) for _ in range(2000 // min(share, 6)))
        yield b"</sst>"

    _book(path, iter([_SHEET % _NAMES + b"</sheetData></worksheet>"]), texts())


def excel_entities(path: Path, share: int) -> None:
    """Entities within entities, a billion laughs."""
    del share
    _book(path, iter([_ENTITIES + _SHEET % _cells(b"&a8;") + b"</sheetData></worksheet>"]))


def parquet_value(path: Path, share: int) -> None:
    """A value of 1 MB, held once in the file, in 200,000 rows."""
    _parquet(path, 200_000 // share, listed=False)


def parquet_list(path: Path, share: int) -> None:
    """The same in lists."""
    _parquet(path, 200_000 // share, listed=True)


def _parquet(path: Path, rows: int, *, listed: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    large = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 1_000_000])
    if listed:
        large = pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), large)
    columns = {
        name: pa.array([str(number) for number in range(rows)]) for name in ("sku", "category", "image_url")
    }
    pq.write_table(pa.table({**columns, "title": large}), path, compression="zstd", store_schema=False)


BOMBS: Final[Mapping[str, Callable[[Path, int], None]]] = {
    made.__name__: made
    for made in (
        csv_cell,
        csv_fields,
        csv_lines,
        csv_rows,
        json_line,
        json_deep,
        excel_cell,
        excel_hidden_rows,
        excel_texts,
        excel_entities,
        parquet_value,
        parquet_list,
    )
}


def peak_mb() -> int:
    """Give the most memory that this program had: not ru_maxrss, which counts what the process was forked from."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) // 1024


def read(path: Path, share: int) -> dict[str, object]:
    """Read an export within the address space; the bound on all of it is as much smaller as the export is."""
    from tryon_catalogue.exports import read_export
    from tryon_catalogue.settings import ExportSettings

    settings = ExportSettings(path="-", columns={"tops_image": "image_url", "title": "title"})
    if path.name == "csv_rows":
        settings = settings.model_copy(update={"unpacked_mb": settings.unpacked_mb // share})
    began = time.monotonic()
    kind, words, rows = "", "", 0
    try:
        for chunk in read_export(path, settings):
            rows += chunk.rows
    except Exception as error:  # noqa: BLE001 - which one it is, is what is asked
        kind, words = type(error).__name__, str(error)[:400]
    return {
        "kind": kind,
        "words": words,
        "rows": rows,
        "seconds": round(time.monotonic() - began, 1),
        "peak_mb": peak_mb(),
        "size": path.stat().st_size,
    }


if __name__ == "__main__":
    name, file, share = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if not file.exists():
        BOMBS[name](file, share)
        sys.exit()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    sys.stdout.write(json.dumps(read(file, share)))
