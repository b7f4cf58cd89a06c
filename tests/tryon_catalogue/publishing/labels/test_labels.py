from __future__ import annotations

import contextlib
import io
import zlib
from typing import Any

import pyexiv2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from tests.tryon_catalogue.publishing.labels.files import (
    ALL,
    FOREIGN,
    JPEGS,
    PNGS,
    chunk,
    drawing,
    saved,
    segment,
)
from tryon_catalogue.publishing.labels import (
    DIGITAL_SOURCE_TYPE,
    Label,
    LabelError,
    label,
    read_label,
)
from tryon_catalogue.publishing.labels.jpeg import LARGEST_PACKET
from tryon_catalogue.publishing.labels.packet import LONGEST_TEXT

WORDS = Label("DAMO try-on", "A-1/红", "Coat “warm” & <dry>", "look 0123")
NASTY = [
    "]]>",
    "<x/>",
    "\"&'",
    "\0\x01\x1b",
    "a\r\nb\tc",
    "👗👩🏽‍🦱",
    "\ud800",
    "\ufffe",
    "&#0;",
    "<?xpacket end='w'?>",
    " ",
]

every_file = pytest.mark.parametrize("content", ALL.values(), ids=ALL.keys())


def seen(content: bytes) -> dict[str, Any]:
    """What an independent reader finds of XMP."""
    with pyexiv2.ImageData(content) as picture:
        return dict(picture.read_xmp())


def frames(content: bytes) -> list[bytes]:
    """The pixels of every picture in a file."""
    with Image.open(io.BytesIO(content)) as picture:
        return [frame.tobytes() for frame in ImageSequence.Iterator(picture)]


def scans(content: bytes) -> bytes:
    """A JPEG file from its first scan on."""
    return content[content.index(b"\xff\xda") :]


def chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """The kinds and data of a PNG file's chunks."""
    found, at = [], 8
    while at < len(content) and (not found or found[-1][0] != b"IEND"):
        size = int.from_bytes(content[at : at + 4])
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + data) == int.from_bytes(content[at + 8 + size : at + 12 + size])
        found.append((kind, data))
        at += size + 12
    return found


@every_file
def test_an_independent_reader_finds_the_label(content: bytes) -> None:
    found = seen(label(content, WORDS))
    assert found["Xmp.iptcExt.DigitalSourceType"] == DIGITAL_SOURCE_TYPE
    assert found["Xmp.xmp.CreatorTool"] == "DAMO try-on"
    assert found["Xmp.dc.identifier"] == "A-1/红"
    assert found["Xmp.dc.title"] == {'lang="x-default"': "Coat “warm” & <dry>"}
    assert found["Xmp.dc.source"] == "look 0123"


@every_file
def test_a_label_is_read_back(content: bytes) -> None:
    assert read_label(content) is None
    assert read_label(label(content, WORDS)) == WORDS


@every_file
def test_every_pixel_of_every_picture_in_the_file_stays(content: bytes) -> None:
    assert frames(label(content, WORDS)) == frames(content)


@every_file
def test_labelling_twice_gives_the_same_bytes(content: bytes) -> None:
    once = label(content, WORDS)
    assert label(once, WORDS) == once


@every_file
def test_the_newest_label_is_the_one_there_is(content: bytes) -> None:
    newer = Label("another tool", "A-2")
    assert label(label(content, WORDS), newer) == label(content, newer)


@pytest.mark.parametrize("content", [one for name, one in JPEGS.items() if "several" not in name])
def test_compressed_bytes_of_a_jpeg_stay(content: bytes) -> None:
    assert scans(label(content, WORDS)) == scans(content)


@pytest.mark.parametrize("content", PNGS.values(), ids=PNGS.keys())
def test_chunks_of_a_png_stay_and_the_packet_stands_before_the_pixels(content: bytes) -> None:
    labelled = label(content, WORDS)
    packet = b"XML:com.adobe.xmp\0"
    assert [one for one in chunks(labelled) if not one[1].startswith(packet)] == [
        one for one in chunks(content) if not one[1].startswith(packet)
    ]
    kinds = [kind for kind, data in chunks(labelled) if kind == b"IDAT" or data.startswith(packet)]
    assert kinds[:2] == [b"iTXt", b"IDAT"]
    assert kinds.count(b"iTXt") == 1


@every_file
def test_exif_profile_and_comments_stay(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as old, Image.open(io.BytesIO(label(content, WORDS))) as new:
        assert dict(new.getexif()) == dict(old.getexif())
        changing = {"xmp", "XML:com.adobe.xmp", "mp", "mpoffset"}
        assert {name: new.info[name] for name in new.info if name not in changing} == {
            name: old.info[name] for name in old.info if name not in changing
        }


def test_jfif_and_exif_stay_in_front() -> None:
    content = label(JPEGS["Exif and profile"], WORDS)
    heads = [content.index(one) for one in (b"Exif\0", b"http://ns.adobe.com/xap", b"ICC_PROFILE")]
    assert heads == sorted(heads)
    plain = label(JPEGS["baseline"], WORDS)
    assert plain.index(b"JFIF") < plain.index(b"http://ns.adobe.com/xap")


@pytest.mark.parametrize("name", ["JPEG, another's packet", "PNG, texts and another's packet, compressed"])
def test_what_others_say_of_the_picture_stays(name: str) -> None:
    content = label(ALL[name], WORDS)
    found = seen(content)
    assert found["Xmp.xmp.Rating"] == "3"
    assert found["Xmp.xmp.Nickname"] == 'a\nb\t"c'
    assert found["Xmp.dc.rights"] == {'lang="x-default"': "© Somebody"}
    assert found["Xmp.dc.source"] == "look 0123"
    # By its own prefix: not everybody who looks for the producer's mark reads XML.
    assert b"<TC260:AIGC" in content
    assert b'{"Label":"1","ContentProducer":"a &lt;vendor&gt;"}' in content
    assert b"old tool" not in content
    assert content.count(b"DigitalSourceType>") == 2


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff\xfe broken",
        b"<x:xmpmeta",
        b"<html/>",
        FOREIGN.replace(b"rdf:", b"r:").replace(b":rdf=", b":r="),
        FOREIGN.replace(b"dc:", b"d:").replace(b":dc=", b":d="),
        FOREIGN.replace(b"<x:xmpmeta", b'<!DOCTYPE x [<!ENTITY a "b">]><x:xmpmeta', 1),
        FOREIGN.replace(b"dc:source>", b"dc:other>").replace(b"old source", b"x" * 64_200),
    ],
    ids=[
        "empty",
        "no text",
        "cut off",
        "no XMP",
        "RDF by another name",
        "Dublin Core by another name",
        "with declarations",
        "no room",
    ],
)
def test_a_packet_that_cannot_be_taken_over_makes_room(packet: bytes) -> None:
    content = JPEGS["baseline"]
    assert len(packet) <= LARGEST_PACKET
    content = content[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet) + content[2:]
    labelled = label(content, WORDS)
    assert read_label(labelled) == WORDS
    assert seen(labelled)["Xmp.dc.identifier"] == WORDS.sku
    assert label(labelled, WORDS) == labelled
    assert b"Rating" not in labelled
    assert frames(labelled) == frames(content)


def test_a_packet_that_swells_is_not_unpacked() -> None:
    swelling = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 50_000_000)
    content = PNGS["plain"]
    header = content.index(b"IDAT") - 4
    content = content[:header] + chunk(b"iTXt", swelling) + content[header:]
    assert read_label(content) is None
    assert label(content, WORDS) == label(PNGS["plain"], WORDS)


@given(st.lists(st.one_of(st.text(), st.sampled_from(NASTY)), min_size=4, max_size=4))
def test_any_text_of_an_export_is_read_back_by_everybody(texts: list[str]) -> None:
    words = Label(*texts)
    content = label(JPEGS["baseline"], words)
    assert read_label(content) == words
    assert label(content, words) == content
    found = seen(content)
    assert found["Xmp.iptcExt.DigitalSourceType"] == DIGITAL_SOURCE_TYPE
    # The independent reader knows no empty property either.
    assert found.get("Xmp.dc.identifier", "") == words.sku


def test_a_text_is_kept_as_far_as_a_packet_can_hold_it() -> None:
    words = Label("a\0b", " line\r\nbreak\t", "x" * 5_000, "\ud83d")
    assert words == Label("a\ufffdb", "line break", "x" * LONGEST_TEXT, "\ufffd")


def test_the_longest_label_fits_a_jpeg_of_any_script() -> None:
    for letter in "&𠀀":
        words = Label(*[letter * 5_000] * 4)
        assert read_label(label(JPEGS["baseline"], words)) == words


def test_a_picture_of_a_camera_has_no_label() -> None:
    packet = FOREIGN.replace(b"old tool", b"camera")
    assert read_label(saved(drawing(), "JPEG", xmp=packet)) is None
    captured = label(JPEGS["baseline"], WORDS).replace(b"trainedAlgorithmicMedia", b"digitalCaptureOfScene__")
    assert read_label(captured) is None


def test_a_label_that_another_tool_wrote_again_is_still_read() -> None:
    labelled = label(JPEGS["baseline"], WORDS)
    with pyexiv2.ImageData(labelled) as picture:
        picture.modify_xmp({"Xmp.xmp.Rating": "5"})
        rewritten = picture.get_bytes()
    assert rewritten != labelled
    assert read_label(rewritten) == WORDS


def test_iptc_iim_is_left_alone() -> None:
    with pyexiv2.ImageData(JPEGS["baseline"]) as picture:
        picture.modify_iptc({"Iptc.Application2.ObjectName": "old"})
        content = picture.get_bytes()
    with pyexiv2.ImageData(label(content, WORDS)) as picture:
        assert picture.read_iptc() == {"Iptc.Application2.ObjectName": "old"}


JPEG, PNG = JPEGS["baseline"], PNGS["plain"]
BROKEN = {
    "empty": b"",
    "text": b"<html>not here</html>",
    "GIF": saved(drawing(), "GIF"),
    "only a beginning": JPEG[:3],
    "segment cut off": JPEG[:12],
    "no scan": JPEG[: JPEG.index(b"\xff\xda")],
    "ended before a scan": JPEG[: JPEG.index(b"\xff\xda")] + b"\xff\xd9",
    "no marker": JPEG[: JPEG.index(b"\xff\xdb")] + b"\0\0" + JPEG[JPEG.index(b"\xff\xdb") :],
    "length of 0": JPEG[:2] + b"\xff\xe0\0\0" + JPEG[2:],
    "PNG signature alone": PNG[:8],
    "chunk cut off": PNG[:60],
    "no end": PNG[:-12],
    "wrong checksum": PNG[:29] + b"\0\0\0\0" + PNG[33:],
    "no pixels": PNG[:33] + PNG[-12:],
    "no header": PNG[:8] + PNG[33:],
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_called_so(content: bytes) -> None:
    with pytest.raises(LabelError, match=r"JPEG|PNG"):
        label(content, WORDS)
    with pytest.raises(LabelError):
        read_label(content)


@given(st.data())
def test_no_damage_leads_to_anything_but_a_label_or_a_clear_error(data: st.DataObject) -> None:
    content = bytearray(
        data.draw(st.sampled_from([JPEGS["several pictures"], JPEGS["another's packet"], PNG]))
    )
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, 3_000)) % len(content)] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    with contextlib.suppress(LabelError):
        labelled = label(bytes(content), WORDS)
        assert read_label(labelled) == WORDS
        assert label(labelled, WORDS) == labelled
