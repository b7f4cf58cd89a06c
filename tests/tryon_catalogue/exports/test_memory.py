"""How much memory reading takes: a chunk and the skus, however many rows there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq

from tests.tryon_catalogue.exports.helpers import TOP

MEMORY = """
import sys
import psutil
from tryon_catalogue.exports import read_export
from tryon_catalogue.settings import ExportColumns, ExportSettings
columns = ExportColumns(sku="sku", category="category", tops_image="image_url", title="title")
for path in sys.argv[1:]:
    rows, used = 0, []
    for chunk in read_export(path, ExportSettings(path="-", columns=columns)):
        rows += len(chunk.garments)
        used.append(psutil.Process().memory_info().rss)
    print(rows, max(used) - used[1])
"""


def test_a_hundred_thousand_rows_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("sku,title,category,image_url\n")
        file.writelines(f"S{n:06},裙 {n} {'x' * 60},dress,{TOP}?{n:050}\n" for n in range(100_000))
    pq.write_table(pyarrow.csv.read_csv(path), tmp_path / "export.parquet")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path), str(tmp_path / "export.parquet")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (csv_rows, csv_growth), (parquet_rows, parquet_growth) = (
        map(int, line.split()) for line in done.stdout.splitlines()
    )
    assert csv_rows == parquet_rows == 100_000
    # After the second of twenty chunks only the skus add up. All the garments at once are 60 MB.
    assert max(csv_growth, parquet_growth) < 40_000_000
