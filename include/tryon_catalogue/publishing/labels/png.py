"""XMP packets in PNG files: found, put in and replaced, chunk by chunk.

Nothing is decoded: the compressed pixels stay as they are.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from tryon_catalogue.publishing.labels.errors import LabelError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_PACKET = 1_000_000_000
"""Bytes. A chunk may have two thousand million of them; no packet has."""
LARGEST_UNPACKED = 1_000_000
"""Bytes of a compressed packet. What grows beyond is no description of a picture."""

_KEYWORD = b"XML:com.adobe.xmp\0"
_PLAIN = _KEYWORD + b"\0\0\0\0"  # not compressed; no language; no translated keyword
_AROUND = 12  # bytes of a chunk besides its data


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One chunk.

    Attributes:
        kind: Its four letters.
        raw: The whole chunk.
    """

    kind: bytes
    raw: bytes

    @property
    def data(self) -> bytes:
        return self.raw[8:-4]

    @property
    def is_packet(self) -> bool:
        return self.kind == b"iTXt" and self.data.startswith(_KEYWORD)


def find_packet(content: bytes) -> bytes | None:
    """Find a PNG file's XMP packet.

    Returns:
        The packet, None when there is none that can be read.

    Raises:
        LabelError: The file is not built as a PNG file is.
    """
    chunks, _ = _split(content)
    found = next((chunk for chunk in chunks if chunk.is_packet), None)
    return _unpacked(found.data) if found else None


def put_packet(content: bytes, packet: bytes) -> bytes:
    """Put an XMP packet into a PNG file, in the place of those that are there.

    Returns:
        The new file's bytes.

    Raises:
        LabelError: The file is not built as a PNG file is.
    """
    chunks, trailing = _split(content)
    others = [chunk for chunk in chunks if not chunk.is_packet]
    first = next(at for at, chunk in enumerate(others) if chunk.kind == b"IDAT")
    new = [*others[:first], _chunk(b"iTXt", _PLAIN + packet), *others[first:]]
    return b"".join([SIGNATURE, *(chunk.raw for chunk in new), trailing])


def _split(content: bytes) -> tuple[list[_Chunk], bytes]:
    """Take a file apart: its chunks, and what stands behind the last of them."""
    if not content.startswith(SIGNATURE):
        raise LabelError("not a PNG file: it does not begin as one does")
    chunks: list[_Chunk] = []
    start = len(SIGNATURE)
    while not chunks or chunks[-1].kind != b"IEND":
        if start + _AROUND > len(content):
            raise LabelError(f"broken PNG file: a chunk is expected at byte {start}")
        length, kind = struct.unpack_from(">I4s", content, start)
        end = start + _AROUND + length
        if end > len(content):
            raise LabelError(f"broken PNG file: the chunk at byte {start} ends outside the file")
        chunk = _Chunk(kind, content[start:end])
        if zlib.crc32(chunk.raw[4:-4]).to_bytes(4) != chunk.raw[-4:]:
            raise LabelError(f"broken PNG file: the chunk at byte {start} does not have its own checksum")
        chunks.append(chunk)
        start = end
    kinds = [chunk.kind for chunk in chunks]
    if kinds[0] != b"IHDR" or b"IDAT" not in kinds:
        raise LabelError("broken PNG file: it has no header or no picture")
    return chunks, content[start:]


def _chunk(kind: bytes, data: bytes) -> _Chunk:
    checksum = zlib.crc32(kind + data).to_bytes(4)
    return _Chunk(kind, len(data).to_bytes(4) + kind + data + checksum)


def _unpacked(data: bytes) -> bytes | None:
    """Give the text of an iTXt chunk (PNG specification, section 11.3.3.4)."""
    compressed, rest = data[len(_KEYWORD) : len(_KEYWORD) + 1], data[len(_KEYWORD) + 2 :]
    _, _, rest = rest.partition(b"\0")  # the language
    _, _, text = rest.partition(b"\0")  # the keyword, translated
    if compressed != b"\1":
        return text
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(text, LARGEST_UNPACKED)
    except zlib.error:
        return None
    return text if unpacker.eof else None
