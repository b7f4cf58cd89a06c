"""XMP packets in JPEG files: found, put in and replaced, segment by segment.

Nothing is decoded: from the first scan on, a file's bytes stay as they are.

The packet is put behind the JFIF and Exif segments, which have to be first, and before all others. So it stands
before a multi-picture index too, whose offsets count from the index itself (CIPA DC-007, section 5).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tryon_catalogue.publishing.labels.errors import LabelError

SIGNATURE = b"\xff\xd8\xff"
HEAD = b"http://ns.adobe.com/xap/1.0/\0"
LARGEST_PACKET = 65_533 - len(HEAD)
"""Bytes: a segment's length, which counts itself, has 16 bits."""

_SOI = b"\xff\xd8"
_APP0, _APP1, _APP2 = 0xE0, 0xE1, 0xE2
_EOI, _SOS = 0xD9, 0xDA
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length; none belongs before a scan
_EXIF = b"Exif\0"
_INDEX = b"MPF\0"
_INDEX_ENTRIES = 0xB002
_ENTRY_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Segment:
    """One segment before the first scan.

    Attributes:
        marker: The marker's second byte.
        raw: The whole segment, with its marker.
        payload: What stands behind the length.
    """

    marker: int
    raw: bytes
    payload: bytes

    @property
    def is_packet(self) -> bool:
        return self.marker == _APP1 and self.payload.startswith(HEAD)

    @property
    def goes_first(self) -> bool:
        return self.marker == _APP0 or (self.marker == _APP1 and self.payload.startswith(_EXIF))

    @property
    def is_index(self) -> bool:
        return self.marker == _APP2 and self.payload.startswith(_INDEX)


def find_packet(content: bytes) -> bytes | None:
    """Find a JPEG file's XMP packet.

    Returns:
        The packet, None when there is none.

    Raises:
        LabelError: The file is not built as a JPEG file is.
    """
    segments, _ = _split(content)
    return next((segment.payload.removeprefix(HEAD) for segment in segments if segment.is_packet), None)


def put_packet(content: bytes, packet: bytes) -> bytes:
    """Put an XMP packet into a JPEG file, in the place of those that are there.

    Args:
        packet: The packet, at most ``LARGEST_PACKET`` bytes.

    Returns:
        The new file's bytes.

    Raises:
        LabelError: The file is not built as a JPEG file is.
    """
    segments, scans = _split(content)
    others = [segment for segment in segments if not segment.is_packet]
    first = next((at for at, segment in enumerate(others) if not segment.goes_first), len(others))
    new = [*others[:first], _segment(_APP1, HEAD + packet), *others[first:]]
    grown = sum(len(segment.raw) for segment in new) - sum(len(segment.raw) for segment in segments)
    moved = _behind_index(new) - _behind_index(segments)
    parts = [_reindexed(segment, grown, moved) if segment.is_index else segment.raw for segment in new]
    return b"".join([_SOI, *parts, scans])


def _split(content: bytes) -> tuple[list[_Segment], bytes]:
    """Take a file apart: the segments before the first scan, and everything from there on."""
    if not content.startswith(SIGNATURE):
        raise LabelError("not a JPEG file: it does not begin as one does")
    segments: list[_Segment] = []
    start = len(_SOI)
    while True:
        at = start
        while content[at : at + 1] == b"\xff":  # any number of them may stand before a marker
            at += 1
        if at == start or at + 3 > len(content):
            raise LabelError(f"broken JPEG file: a marker is expected at byte {start}")
        marker = content[at]
        if marker == _SOS:
            return segments, content[start:]
        if marker == _EOI or marker in _STANDALONE:
            raise LabelError(f"broken JPEG file: no picture before marker {marker:02X} at byte {start}")
        end = at + 1 + int.from_bytes(content[at + 1 : at + 3])
        if end < at + 3 or end > len(content):
            raise LabelError(f"broken JPEG file: the segment at byte {start} ends outside the file")
        segments.append(_Segment(marker, content[start:end], content[at + 3 : end]))
        start = end


def _segment(marker: int, payload: bytes) -> _Segment:
    return _Segment(marker, struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload, payload)


def _behind_index(segments: list[_Segment]) -> int:
    """Count the bytes between the multi-picture index and the first scan; 0 when there is none."""
    at = next((at for at, segment in enumerate(segments) if segment.is_index), len(segments))
    return sum(len(segment.raw) for segment in segments[at + 1 :])


def _reindexed(index: _Segment, grown: int, moved: int) -> bytes:
    """Correct a multi-picture index: the first picture's size, and the offsets of the others.

    Args:
        grown: Bytes by which the first picture grew.
        moved: Bytes by which the others moved away from the index.
    """
    tiff = bytearray(index.payload[len(_INDEX) :])
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        rows = [struct.unpack_from(f"{order}HHII", tiff, directory + 2 + 12 * row) for row in range(count)]
        tables = [(length, offset) for tag, _, length, offset in rows if tag == _INDEX_ENTRIES]
        for length, offset in tables:
            for at in range(offset, offset + length - length % _ENTRY_BYTES, _ENTRY_BYTES):
                size, place = struct.unpack_from(f"{order}II", tiff, at + 4)
                first = at == offset  # its place is said to be 0, whatever it is
                new = (size + grown, place) if first else (size, place + moved)
                struct.pack_into(f"{order}II", tiff, at + 4, *new)
    except struct.error:
        return index.raw  # an index that cannot be read is no worse for what stands before it
    return index.raw[: -len(tiff)] + bytes(tiff)
