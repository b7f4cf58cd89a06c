"""What kind of file some bytes are, told by how they begin and not by a name or a header of the server's.

Only so that a person can be told "this is a web page" instead of "this is no image".
"""

from __future__ import annotations

from typing import Final

JPEG: Final = "JPEG"
PNG: Final = "PNG"
WEBP: Final = "WebP"

_BEGINNINGS: Final = (
    # offset, bytes, kind
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", WEBP),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"8BPS", "Photoshop (PSD)"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftyp", "video (MP4)"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"PK\3\4", "ZIP"),
    (0, b"\x1f\x8b", "gzip"),
)

_MARKUP: Final = (
    # what stands in the first characters of a text, kind
    ("<svg", "SVG"),
    ("<!doctype html", "web page (HTML)"),
    ("<html", "web page (HTML)"),
    ("<head", "web page (HTML)"),
    ("<body", "web page (HTML)"),
    ("<?xml", "XML"),
    ("{", "JSON"),
)
_LOOKED_AT_BYTES: Final = 1024


def kind_of(content: bytes) -> str | None:
    """Name the kind of file by its first bytes.

    Args:
        content: The file, or its beginning.

    Returns:
        ``JPEG``, ``PNG``, ``WebP``, ``GIF``, ``web page (HTML)``, ``text`` ...; None for what is none of these.
    """
    for offset, beginning, kind in _BEGINNINGS:
        if content.startswith(beginning, offset):
            return kind
    return _kind_of_text(content[:_LOOKED_AT_BYTES])


def _kind_of_text(beginning: bytes) -> str | None:
    if not beginning or b"\0" in beginning:
        return None
    # The last character may be cut in two.
    text = beginning.decode("utf-8-sig", errors="ignore").lstrip().lower()
    if len(text.encode()) < len(beginning.strip()) - 8:
        return None
    for mark, kind in _MARKUP:
        if text.startswith(mark) or (mark == "<svg" and text.startswith(("<?xml", "<!")) and mark in text):
            return kind
    return "text"
