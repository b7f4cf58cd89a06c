"""How much memory reading takes: a chunk, the skus, and of Parquet a row group, however many rows there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq

from tests.tryon_catalogue.exports.helpers import TOP

ROWS = 30_000
MEMORY = """
import sys, tracemalloc
import pyarrow
from tryon_catalogue.exports import read_export
from tryon_catalogue.settings import ExportColumns, ExportSettings
columns = ExportColumns(sku="sku", category="category", tops_image="image_url", title="title")
tracemalloc.start()
for path in sys.argv[1:]:
    rows, used = 0, []
    for chunk in read_export(path, ExportSettings(path="-", columns=columns)):
        rows += len(chunk.garments)
        # What is held, and not what the process has: allocators give memory back when it suits them.
        used.append(tracemalloc.get_traced_memory()[0] + pyarrow.total_allocated_bytes())
    print(rows, max(used) - used[1])
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("sku,title,category,image_url\n")
        file.writelines(f"S{n:06},裙 {n} {'x' * 60},dress,{TOP}?{n:050}\n" for n in range(ROWS))
    pq.write_table(pyarrow.csv.read_csv(path), tmp_path / "export.parquet", row_group_size=ROWS // 10)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path), str(tmp_path / "export.parquet")],
        capture_output=True,
        text=True,
        check=True,
    )
    (csv_rows, csv_growth), (parquet_rows, parquet_growth) = (
        map(int, line.split()) for line in done.stdout.splitlines()
    )
    assert csv_rows == parquet_rows == ROWS
    # After the second chunk only the skus add up. All the garments at once are 18 MB.
    assert max(csv_growth, parquet_growth) < 9_000_000
