"""Picture files for the tests of labels: every build of JPEG and PNG that has to be lived with."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

FOREIGN = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Somebody">\n'
    ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    '  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    " xmp:CreatorTool=\"old tool\" xmp:Rating='3' xmp:Nickname='a&#10;b&#9;\"c'>\n"
    '   <TC260:AIGC>{"Label":"1","ContentProducer":"a &lt;vendor&gt;"}</TC260:AIGC>\n'
    "   <dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>"
    "<![CDATA[© Somebody]]><!-- a remark --></rdf:li></rdf:Alt></dc:rights>\n"
    "   <dc:source>old source</dc:source>\n"
    "  </rdf:Description>\n"
    " </rdf:RDF>\n"
    "</x:xmpmeta>\n" + " " * 200 + '\n<?xpacket end="w"?>'
).encode()
"""Another's packet, with properties that a label has too, and with others."""


def drawing(size: tuple[int, int] = (120, 160), mode: str = "RGB") -> Image.Image:
    """Draw something with edges and gradients."""
    picture = Image.radial_gradient("L").resize(size).convert("RGB")
    ImageDraw.Draw(picture).ellipse((20, 30, 90, 120), fill=(200, 30, 60))
    return picture.convert(mode)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Save a picture."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 1) -> bytes:
    """Make Exif data that names a camera."""
    data = Image.Exif()
    data[0x010F] = "Camera"
    data[0x0112] = orientation
    return data.tobytes()


@cache
def profile() -> bytes:
    """Make a colour profile; it holds the second in which it was made, so there is one."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def segment(marker: int, payload: bytes) -> bytes:
    """Make a JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def chunk(kind: bytes, data: bytes) -> bytes:
    """Make a PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced() -> bytes:
    """Make an interlaced PNG (Adam7), which Pillow reads and does not write."""
    picture = drawing((19, 23), "L")
    passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]
    rows = b""
    for left, top, across, down in passes:
        for y in range(top, picture.height, down):
            row = bytes(picture.getpixel((x, y)) for x in range(left, picture.width, across))
            rows += b"\0" + row if row else b""
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 0, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def with_text(compressed: bool) -> bytes:
    """Make a PNG with a comment and another's packet as text chunks."""
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("Comment", "秋天", lang="zh")
    texts.add_itxt("XML:com.adobe.xmp", FOREIGN.decode(), zip=compressed)
    texts.add_text("Software", "Somebody")
    return saved(drawing(), "PNG", pnginfo=texts)


def with_late_packet() -> bytes:
    """Make a PNG whose packet stands behind the pixels, where it may stand."""
    content = saved(drawing(), "PNG")
    packet = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + FOREIGN)
    return content[:-12] + packet + content[-12:]


def with_late_segment() -> bytes:
    """Make a JPEG whose packet, twice, stands behind its other segments."""
    content = saved(drawing(), "JPEG", exif=exif(), icc_profile=profile())
    packet = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + FOREIGN)
    scan = content.index(b"\xff\xda")
    return content[:scan] + packet + packet + content[scan:]


def several() -> bytes:
    """Make a JPEG with a second picture behind the first (MPO)."""
    return saved(drawing(), "MPO", save_all=True, append_images=[drawing((60, 80)), drawing((30, 40))])


def several_with_late_packet() -> bytes:
    """Make such a file by a hand that put a packet behind the index and corrected the index for it."""
    content = bytearray(several())
    index = content.index(b"MPF\0")
    length = int.from_bytes(content[index - 2 : index])
    end = index - 2 + length
    packet = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + FOREIGN)
    tiff = index + 4
    order = "<" if content[tiff : tiff + 2] == b"II" else ">"
    directory = tiff + struct.unpack_from(f"{order}I", content, tiff + 4)[0]
    for row in range(struct.unpack_from(f"{order}H", content, directory)[0]):
        tag, _, size, offset = struct.unpack_from(f"{order}HHII", content, directory + 2 + 12 * row)
        for number in range(size // 16 if tag == 0xB002 else 0):
            at = tiff + offset + 16 * number + (4 if number == 0 else 8)
            struct.pack_into(
                f"{order}I", content, at, struct.unpack_from(f"{order}I", content, at)[0] + len(packet)
            )
    return bytes(content[:end]) + packet + bytes(content[end:])


JPEGS = {
    "baseline": saved(drawing(), "JPEG"),
    "progressive": saved(drawing(), "JPEG", progressive=True),
    "grey": saved(drawing(mode="L"), "JPEG"),
    "CMYK": saved(drawing(mode="CMYK"), "JPEG"),
    "4:4:4 with restart markers": saved(drawing(), "JPEG", subsampling=0, restart_marker_rows=1),
    "Exif and profile": saved(drawing(), "JPEG", exif=exif(6), icc_profile=profile(), comment="a comment"),
    "another's packet": saved(drawing(), "JPEG", exif=exif(), xmp=FOREIGN),
    "two packets behind the rest": with_late_segment(),
    "bytes behind its end": saved(drawing(), "JPEG") + b"\0trailing\xff\xd9 bytes",
    "fill bytes": saved(drawing(), "JPEG").replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),
    "several pictures": several(),
    "several pictures and a packet behind the index": several_with_late_packet(),
}
PNGS = {
    "plain": saved(drawing(), "PNG"),
    "interlaced": interlaced(),
    "palette": saved(drawing().quantize(16), "PNG"),
    "alpha": saved(drawing(mode="RGBA"), "PNG"),
    "one bit": saved(drawing(mode="1"), "PNG"),
    "16 bit": saved(drawing(mode="I;16"), "PNG"),
    "Exif and profile": saved(drawing(), "PNG", exif=exif(), icc_profile=profile()),
    "texts and another's packet": with_text(False),
    "texts and another's packet, compressed": with_text(True),
    "packet behind the pixels": with_late_packet(),
    "animated": saved(drawing(), "PNG", save_all=True, append_images=[drawing().rotate(9)]),
    "bytes behind its end": saved(drawing(), "PNG") + b"trailing",
}
ALL = {f"JPEG, {name}": content for name, content in JPEGS.items()} | {
    f"PNG, {name}": content for name, content in PNGS.items()
}
