"""Small image files that would keep a decoder busy for minutes are refused at once, wherever pictures are opened."""

from __future__ import annotations

import ast
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import tryon_catalogue
from tests.tryon_catalogue.pictures.files import jpeg_of_scans
from tests.tryon_catalogue.planning.preflight.test_images import checked
from tests.tryon_catalogue.vendor import Website, figure
from tryon_catalogue.pictures.fetch import BrokenTransferError, FetchError, measured
from tryon_catalogue.pictures.opening import TooMuchWorkError, open_picture
from tryon_catalogue.pictures.reading import read_image
from tryon_catalogue.pictures.repair import repair
from tryon_catalogue.pictures.rules import ImageRole, ImageRule, check_image
from tryon_catalogue.publishing.judgement.pictures import UnreadableError, shrunk
from tryon_catalogue.publishing.labels.errors import LabelError
from tryon_catalogue.publishing.labels.marks import mark
from tryon_catalogue.reporting.report.thumbnails import shrink

MOST_PIXELS = 50_000_000
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_with(*chunks: bytes) -> bytes:
    content = figure()
    return content[:33] + b"".join(chunks) + content[33:]


def png_of_profiles() -> bytes:
    """A PNG of 4 MB with 4 GB of colour profiles."""
    return png_with(chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(1_000_000), 9)) * 4000)


def png_of_texts() -> bytes:
    """A PNG with 4 GB of packed text."""
    return png_with(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000), 9)) * 4000)


def png_of_one_profile() -> bytes:
    """A PNG whose only colour profile unpacks to 200 MB."""
    return png_with(chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(200_000_000), 1)))


def png_of_chunks() -> bytes:
    """A PNG of 400,000 empty chunks."""
    return png_with(chunk(b"noNe", b"") * 400_000)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is that large, and has next to nothing in it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def interlaced(width: int, height: int) -> bytes:
    """A whole interlaced PNG in grey."""
    rows = b""
    for left, top, across, down in ADAM7:
        columns, lines = -(-(width - left) // across), -(-(height - top) // down)
        rows += (b"\0" + b"\x80" * columns) * lines
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


WORK: dict[Callable[[], bytes], str] = {
    jpeg_of_scans: "700 scans of 5,760,000 pixels",
    png_of_profiles: "more than one colour profile",
    png_of_chunks: "more than 20,000 chunks",
}


@pytest.mark.parametrize("bomb", WORK)
def test_what_takes_too_long_is_refused_before_it_is_decoded(bomb: Callable[[], bytes]) -> None:
    content, words = bomb(), WORK[bomb]
    with pytest.raises(TooMuchWorkError, match=words):
        open_picture(content)


@pytest.mark.parametrize("bomb", WORK)
def test_preflight_rejects_that_row_with_its_reason_and_goes_on(
    bomb: Callable[[], bytes], website: Website
) -> None:
    bad = website.put("/bomb", bomb())
    keys = [(bad, ImageRole.PICTURE), (f"{website.url}/top-1.png", ImageRole.PICTURE)]
    found = checked(keys)
    (finding,) = found[keys[0]].findings
    assert (finding.rule, finding.rejects) == (ImageRule.TOO_MUCH_WORK, True)
    assert WORK[bomb] in finding.measured
    assert "save it anew" in finding.advice
    assert not found[keys[1]].findings


def test_no_other_place_decodes_it() -> None:
    bomb = jpeg_of_scans()
    with pytest.raises(FetchError, match="700 scans") as caught:
        measured("https://pictures.example/a.jpg", bomb, MOST_PIXELS)
    assert not isinstance(caught.value, BrokenTransferError)  # which would be fetched again
    with pytest.raises(UnreadableError, match="700 scans"):
        shrunk(bomb, max_pixels=MOST_PIXELS)
    with pytest.raises(LabelError, match="700 scans"):
        mark(bomb, "AI生成")
    with pytest.raises(ValueError, match="700 scans"):
        shrink(bomb, (90, 120))
    assert repair(bomb, check_image(bomb, ImageRole.PICTURE)) is None


def test_pictures_are_opened_in_one_place() -> None:
    package = Path(tryon_catalogue.__file__).parent
    places = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "Image.open"
    ]
    assert places == ["pictures/opening.py"]


def test_an_honest_progressive_photograph_of_50_megapixels_is_opened() -> None:
    file = io.BytesIO()
    Image.effect_noise((1000, 800), 60).convert("RGB").save(file, "JPEG", progressive=True)
    content = file.getvalue()
    scans = content.count(b"\xff\xda")
    assert scans * MOST_PIXELS < 1_000_000_000
    assert read_image(content, as_mask=False, max_pixels=MOST_PIXELS, longest=100).trouble is None


def test_a_preview_within_the_file_is_no_scan_too_many() -> None:
    preview = jpeg_of_scans(10, (160, 120))
    file = io.BytesIO()
    Image.new("RGB", (600, 800)).save(file, "JPEG", exif=b"Exif\0\0" + preview)
    assert open_picture(file.getvalue()).size == (600, 800)


def test_an_interlaced_picture_is_read_and_a_cut_off_one_is_not() -> None:
    content = interlaced(500, 700)
    found = read_image(content, as_mask=False, max_pixels=MOST_PIXELS, longest=100)
    assert (found.width, found.height, found.trouble) == (500, 700, None)
    cut = read_image(content[:-200], as_mask=False, max_pixels=MOST_PIXELS, longest=100)
    assert cut.trouble is not None


@pytest.mark.parametrize("sides", [(7072, 7072), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_says_it_is_enormous_is_not_decoded(sides: tuple[int, int]) -> None:
    found = read_image(png_of_size(*sides), as_mask=False, max_pixels=MOST_PIXELS, longest=100)
    assert found.too_many_pixels or found.trouble
    assert found.thumbnail is None


def test_of_a_file_of_many_pictures_one_is_decoded() -> None:
    file = io.BytesIO()
    frames = [Image.new("L", (600, 800), shade) for shade in range(50)]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    found = read_image(file.getvalue(), as_mask=False, max_pixels=MOST_PIXELS, longest=100)
    assert (found.frames, found.trouble) == (50, None)


READ_IN_LITTLE_MEMORY = """
import resource, sys
from tryon_catalogue.pictures.reading import read_image
resource.setrlimit(resource.RLIMIT_AS, (400_000_000, 400_000_000))
found = read_image(sys.stdin.buffer.read(), as_mask=False, max_pixels=50_000_000, longest=100)
print(found.width, found.trouble)
"""


def exif_of_tags() -> bytes:
    """A JPEG whose Exif block has thousands of spoilt tags, each as large as the block."""
    count = 5000
    tags = b"".join(struct.pack("<HHII", number, 7, 60_000, 8) for number in range(1, count + 1))
    file = io.BytesIO()
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", count) + tags
    Image.new("RGB", (400, 520)).save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("bomb", [png_of_one_profile, png_of_texts, exif_of_tags])
def test_what_is_packed_into_a_file_takes_neither_memory_nor_the_log(bomb: Callable[[], bytes]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_IN_LITTLE_MEMORY], input=bomb(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert done.stdout
