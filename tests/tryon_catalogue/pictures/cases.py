"""The table of images and addresses that shops really have, with what is to become of each.

``rule`` is what rejects the image, ``warns`` what is only said. ``vendor`` is what the stand-in for the vendor does
with it: of the two sets of rules, written apart, neither may take what the other refuses for a documented
reason.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from PIL import Image

from tests.tryon_catalogue.pictures.files import (
    SIZE,
    drawn,
    encoded,
    jpeg_of_scans,
    jpeg_padded_to,
    mask,
    noise,
    padded_to,
    see_through,
    several,
    turned_by_exif,
    with_one_pixel,
    written_png,
)
from tests.tryon_catalogue.pictures.pages import PNG, Page, answering, endless, gzip_bomb, slow, talkative
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.pictures.rules import ImageRole, ImageRule

MB5 = 5_000_000
JPEG = encoded(drawn(), "JPEG")
PACKED = gzip.compress(PNG)


class Vendor(Enum):
    """What the stand-in for the vendor says."""

    TAKES = auto()
    REFUSES = auto()
    NOT_ASKED = auto()
    """The rule is our own: the stand-in serves one machine, or is more lenient than the document."""


@dataclass(frozen=True)
class Case:
    """One image at one address.

    Attributes:
        name: What it is.
        page: Makes what is behind the address; None where nothing is asked for.
        rule: What rejects it; None for a good one.
        warns: What is said of it besides.
        vendor: What the stand-in says.
        role: What the image is to be.
        url: Makes the address, of the site's and the page's own.
        public: Whether only public addresses may be connected to.
        patience: Seconds it may take; usually longer than a test may.
    """

    name: str
    page: Callable[[], Page] | None
    rule: ImageRule | None = None
    warns: frozenset[ImageRule] = frozenset()
    vendor: Vendor = Vendor.TAKES
    role: ImageRole = ImageRole.PICTURE
    url: Callable[[Website, str], str] = lambda _site, own: own
    public: bool = False
    patience: float = 600


def good(name: str, page: Callable[[], Page], *warns: ImageRule) -> Case:
    """An image that may go to the vendor."""
    return Case(name, page, warns=frozenset(warns))


def bad(name: str, rule: ImageRule, page: Callable[[], Page], *warns: ImageRule) -> Case:
    """An image that may not, by a rule that the vendor's stand-in has as well."""
    return Case(name, page, rule, frozenset(warns), Vendor.REFUSES)


def good_mask(name: str, page: Callable[[], Page], *warns: ImageRule) -> Case:
    """A mask that may go to the vendor with a picture of its size."""
    return Case(name, page, None, frozenset(warns), Vendor.TAKES, ImageRole.MASK)


def bad_mask(
    name: str,
    rule: ImageRule,
    page: Callable[[], Page],
    *warns: ImageRule,
    vendor: Vendor = Vendor.REFUSES,
) -> Case:
    """A mask that may not."""
    return Case(name, page, rule, frozenset(warns), vendor, ImageRole.MASK)


def bad_url(name: str, url: str, vendor: Vendor = Vendor.REFUSES) -> Case:
    """An address that the vendor cannot take; {site} stands for the web server's."""
    return Case(
        name,
        None,
        ImageRule.BAD_URL,
        vendor=vendor,
        url=lambda site, _own: url.format(site=site.url, port=site.url.rpartition(":")[2]),
    )


def private(name: str, url: str, page: Callable[[], Page] | None = None) -> Case:
    """An address that leads into somebody's own network."""
    return Case(
        name,
        page,
        ImageRule.UNREACHABLE,
        vendor=Vendor.NOT_ASKED,
        url=lambda site, _own: url.format(port=site.url.rpartition(":")[2]),
        public=True,
    )


_EXIF_90, _EXIF_180 = 6, 3
_HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500
_AVIF = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + b"\0" * 500
_SVG = b'<?xml version="1.0"?>\n<!-- a shirt -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
_MASK_P = ImageRule.MASK_DEPTH

FILES = (
    # Formats, by content (vendor document, section 4.1).
    good("a PNG", lambda: PNG),
    good("a JPEG", lambda: JPEG),
    good("a progressive JPEG", lambda: encoded(drawn(), "JPEG", progressive=True)),
    good("a greyscale JPEG", lambda: encoded(drawn(mode="L"), "JPEG")),
    good("a palette PNG", lambda: encoded(drawn().quantize(16))),
    good("a 1-bit PNG", lambda: encoded(drawn(mode="1"))),
    good("an interlaced PNG's equal, written by hand", lambda: written_png(*SIZE, colours=2)),
    good("an MPO, which is a JPEG with further images", lambda: several("MPO"), ImageRule.SEVERAL_IMAGES),
    good(
        "an animated PNG", lambda: several("PNG"), ImageRule.SEVERAL_IMAGES
    ),  # the document takes PNG and is silent on this
    good("a CMYK JPEG", lambda: encoded(drawn(mode="CMYK"), "JPEG"), ImageRule.PRINT_COLOURS),
    good("a 16-bit grey PNG", lambda: written_png(*SIZE, bits=16), ImageRule.DEPTH),
    good("a 16-bit colour PNG", lambda: written_png(*SIZE, bits=16, colours=2), ImageRule.DEPTH),
    good("a transparent PNG", lambda: encoded(see_through()), ImageRule.TRANSPARENT),
    good("an opaque PNG with an alpha channel", lambda: encoded(drawn(mode="RGBA"))),
    good(
        "a palette PNG with a transparent colour",
        lambda: encoded(drawn().quantize(16), transparency=0),
        ImageRule.TRANSPARENT,
    ),
    good("a JPEG that EXIF turns by 90 degrees", lambda: turned_by_exif(_EXIF_90), ImageRule.ROTATED),
    good("a JPEG that EXIF stands on its feet", lambda: turned_by_exif(_EXIF_180), ImageRule.ROTATED),
    good("a PNG that EXIF turns", lambda: turned_by_exif(_EXIF_90, kind="PNG"), ImageRule.ROTATED),
    good("a JPEG whose EXIF says upright", lambda: turned_by_exif(1)),
    good("a JPEG whose EXIF says nonsense", lambda: turned_by_exif(77)),
    good("a JPEG with bytes after its end", lambda: JPEG + b"\0" * 4000),
    bad("a GIF", ImageRule.FORMAT, lambda: encoded(drawn(), "GIF")),
    bad("a GIF named .jpg", ImageRule.FORMAT, lambda: several("GIF")),
    bad("a WebP", ImageRule.FORMAT, lambda: encoded(drawn(), "WEBP")),
    bad("an animated WebP", ImageRule.FORMAT, lambda: several("WEBP")),
    bad("a BMP", ImageRule.FORMAT, lambda: encoded(drawn(), "BMP")),
    bad("a TIFF", ImageRule.FORMAT, lambda: encoded(drawn(), "TIFF")),
    bad("an ICO", ImageRule.FORMAT, lambda: encoded(drawn((256, 256)), "ICO")),
    bad("a JPEG 2000", ImageRule.FORMAT, lambda: encoded(drawn(), "JPEG2000")),
    bad("an SVG", ImageRule.FORMAT, lambda: _SVG),
    bad("a HEIC", ImageRule.FORMAT, lambda: _HEIC),
    bad("an AVIF", ImageRule.FORMAT, lambda: _AVIF),
    bad("a Photoshop file", ImageRule.FORMAT, lambda: b"8BPS\0\1" + b"\0" * 500),
    bad("a PDF", ImageRule.FORMAT, lambda: b"%PDF-1.7\n" + b"\0" * 500),
    bad("a ZIP", ImageRule.FORMAT, lambda: b"PK\3\4" + b"\0" * 500),
    bad("a web page with status 200", ImageRule.FORMAT, lambda: b"<!DOCTYPE html><html>Sorry</html>"),
    bad("text named .png", ImageRule.FORMAT, lambda: b"no image today"),
    bad("bytes that mean nothing", ImageRule.FORMAT, lambda: b"\0\1\2\3" * 200),
    bad("an empty file", ImageRule.EMPTY, lambda: b""),
    # Whole files.
    bad("a JPEG cut in half", ImageRule.NOT_WHOLE, lambda: JPEG[: len(JPEG) // 2]),
    bad("a JPEG without its last hundred bytes", ImageRule.NOT_WHOLE, lambda: JPEG[:-100]),
    bad(
        "a progressive JPEG cut off",
        ImageRule.NOT_WHOLE,
        lambda: encoded(noise((400, 500)), "JPEG", progressive=True)[:-9000],
    ),
    bad("a PNG cut in half", ImageRule.NOT_WHOLE, lambda: PNG[: len(PNG) // 2]),
    bad("the beginning of a JPEG alone", ImageRule.NOT_WHOLE, lambda: JPEG[:4]),
    bad("the beginning of a PNG alone", ImageRule.NOT_WHOLE, lambda: PNG[:8]),
    # Bytes (section 4.1: 5M, in its smaller reading).
    good("a PNG of 4,999,999 bytes", lambda: padded_to(MB5 - 1)),
    good("a PNG of 5,000,000 bytes", lambda: padded_to(MB5)),
    bad("a PNG of 5,000,001 bytes", ImageRule.TOO_MANY_BYTES, lambda: padded_to(MB5 + 1)),
    good("a JPEG of 5,000,000 bytes", lambda: jpeg_padded_to(MB5)),
    bad("a JPEG of 5,000,001 bytes", ImageRule.TOO_MANY_BYTES, lambda: jpeg_padded_to(MB5 + 1)),
    bad("a PNG of 9 MB", ImageRule.TOO_MANY_BYTES, lambda: padded_to(9_000_000)),
    # Sides (section 4.1), and the shape that it recommends.
    good("400 x 533 pixels", lambda: encoded(drawn((400, 533)))),
    good("533 x 400 pixels", lambda: encoded(drawn((533, 400)))),
    bad("399 x 533 pixels", ImageRule.TOO_SMALL, lambda: encoded(drawn((399, 533)))),
    bad("533 x 399 pixels", ImageRule.TOO_SMALL, lambda: encoded(drawn((533, 399)))),
    bad("one pixel", ImageRule.TOO_SMALL, lambda: encoded(Image.new("RGB", (1, 1))), ImageRule.SHAPE),
    bad("a side of no pixels", ImageRule.TOO_SMALL, lambda: written_png(0, 500)),
    good("400 x 400 pixels", lambda: encoded(drawn((400, 400))), ImageRule.SHAPE),
    good("a camera's 3:2", lambda: encoded(drawn((600, 400)))),
    good("9:16", lambda: encoded(drawn((450, 800))), ImageRule.SHAPE),
    # Pixels: no rule of the document, a guard.
    bad(
        "20,000 x 20,000 pixels in a small file",
        ImageRule.TOO_MANY_PIXELS,
        lambda: written_png(20_000, 20_000, bits=1),
        ImageRule.SHAPE,
    ),
    bad(
        "7,000 x 6,000 pixels",
        ImageRule.TOO_MANY_PIXELS,
        lambda: written_png(7_000, 6_000, bits=1),
    ),
    # Masks (section 5.1: 0 and 255, and exactly the size of the model's image).
    good_mask("a black and white mask", lambda: encoded(mask())),
    good_mask("a mask in colours that are none", lambda: encoded(mask().convert("RGB"))),
    good_mask("a 1-bit mask", lambda: encoded(mask().convert("1")), _MASK_P),
    good_mask("a palette mask", lambda: encoded(mask().convert("P")), _MASK_P),
    good_mask(
        "a mask that is black all over", lambda: encoded(Image.new("L", SIZE, 0)), ImageRule.MASK_EMPTY
    ),
    good_mask(
        "a JPEG mask without any grey",
        lambda: encoded(Image.new("L", SIZE, 255), "JPEG"),
        ImageRule.MASK_EMPTY,
    ),
    bad_mask("a grey mask", ImageRule.MASK_GREY, lambda: encoded(mask(black=1, white=254))),
    bad_mask("a mask with one grey pixel", ImageRule.MASK_GREY, lambda: encoded(with_one_pixel(mask(), 254))),
    bad_mask("a mask saved as JPEG", ImageRule.MASK_GREY, lambda: encoded(mask(), "JPEG", quality=40)),
    bad_mask("a photograph for a mask", ImageRule.MASK_GREY, lambda: PNG),
    bad_mask("a red mask", ImageRule.MASK_GREY, lambda: encoded(Image.new("RGB", SIZE, (255, 0, 0)))),
    bad_mask(
        "a mask with one pixel of the darkest blue",
        ImageRule.MASK_GREY,
        lambda: encoded(with_one_pixel(mask().convert("RGB"), (0, 0, 1))),
        vendor=Vendor.NOT_ASKED,
    ),
    bad_mask(
        "a 16-bit mask",
        ImageRule.MASK_GREY,
        lambda: written_png(*SIZE, bits=16, sample=b"\xff"),
        ImageRule.MASK_EMPTY,
        ImageRule.MASK_DEPTH,
        vendor=Vendor.NOT_ASKED,
    ),
    bad_mask("a mask off by a pixel in width", ImageRule.MASK_SIZE, lambda: encoded(mask((451, 600)))),
    bad_mask("a mask off by a pixel in height", ImageRule.MASK_SIZE, lambda: encoded(mask((450, 599)))),
    bad_mask("a mask that lies on its side", ImageRule.MASK_SIZE, lambda: encoded(mask((600, 450)))),
    bad_mask("a WebP mask", ImageRule.FORMAT, lambda: encoded(mask(), "WEBP", lossless=True)),
)

ADDRESSES = (
    # What a URL may be (sections 4.2 and 5.1): nothing is asked for.
    bad_url("a URL in Chinese", "{site}/衣服.png"),
    bad_url("a host in Chinese", "http://图片.example/shirt.png"),
    bad_url("a URL with spaces", "{site}/blue shirt.png"),
    bad_url("a URL with a line feed", "{site}/shirt.png\n"),
    bad_url("an ftp URL", "ftp://pictures.example/shirt.png"),
    bad_url("a file URL", "file:///etc/passwd"),
    bad_url("a data URL", "data:image/png;base64,iVBORw0KGgo="),
    bad_url("a path alone", "/pictures/shirt.png"),
    bad_url("a URL without a host", "https:///shirt.png"),
    bad_url("no URL", ""),
    bad_url("a URL that holds a login", "http://shop:secret-word@127.0.0.1:{port}/a.png", Vendor.NOT_ASKED),
    # What servers do.
    Case("Chinese that is percent-encoded", lambda: PNG, url=lambda _site, own: f"{own}?%E8%A1%A3"),
    bad("a page that is not there", ImageRule.UNREACHABLE, answering(404)),
    bad("a page that is forbidden", ImageRule.UNREACHABLE, answering(403)),
    bad("a page that asks for a login", ImageRule.UNREACHABLE, answering(401)),
    bad("a server that fails", ImageRule.UNREACHABLE, answering(500)),
    bad("a server that is busy for a day", ImageRule.BUSY, answering(429, Retry_After="86400")),
    bad("a server that says there is nothing", ImageRule.UNREACHABLE, answering(204)),
    bad("an unasked-for 'not modified'", ImageRule.UNREACHABLE, answering(304)),
    Case(
        "a closed port",
        None,
        ImageRule.UNREACHABLE,
        vendor=Vendor.REFUSES,
        url=lambda _site, _own: "http://127.0.0.1:1/shirt.png",
    ),
    Case(
        "a redirect in a circle",
        answering(302, Location="?again"),
        ImageRule.UNREACHABLE,
        vendor=Vendor.REFUSES,
    ),
    bad("a redirect to another scheme", ImageRule.UNREACHABLE, answering(302, Location="ftp://a.example/b")),
    bad("a body that never ends", ImageRule.TOO_MANY_BYTES, lambda: endless),
    Case(
        "a picture made to keep a decoder busy",
        jpeg_of_scans,
        ImageRule.TOO_MUCH_WORK,
        vendor=Vendor.NOT_ASKED,
    ),
    Case("a server that drips", lambda: slow, ImageRule.UNREACHABLE, vendor=Vendor.REFUSES, patience=0.5),
    bad(
        "a body shorter than was promised",
        ImageRule.UNREACHABLE,
        answering(body=PNG, Content_Length=str(len(PNG) + 500)),
    ),
    bad("a body longer than was promised", ImageRule.NOT_WHOLE, lambda: talkative),
    bad(
        "a length beyond all limits",
        ImageRule.TOO_MANY_BYTES,
        answering(body=PNG, Content_Length=str(10**12)),
    ),
    good("a body of unknown length", answering(body=PNG)),
    good(
        "a type in the headers that is wrong",
        answering(body=PNG, Content_Type="text/html", Content_Length=str(len(PNG))),
    ),
    good("a body that was packed for the way", answering(body=PACKED, Content_Encoding="gzip")),
    bad(
        "a packed body that breaks off",
        ImageRule.UNREACHABLE,
        answering(body=PACKED[: len(PACKED) // 2], Content_Encoding="gzip"),
    ),
    Case(
        "a body packed in a way nobody asked for",
        answering(body=PNG, Content_Encoding="br"),
        ImageRule.UNREACHABLE,
        vendor=Vendor.NOT_ASKED,
    ),
    bad(
        "a packed body that grows beyond all limits",
        ImageRule.TOO_MANY_BYTES,
        answering(body=gzip_bomb, Content_Encoding="gzip"),
    ),
    bad("a packed file", ImageRule.FORMAT, lambda: PACKED),
    # Where an address may lead.
    private("a loopback address", "http://127.0.0.2:{port}/a.png"),
    private("an address of a house network", "http://192.168.0.7/a.png"),
    private("a cloud's own address", "http://169.254.169.254/latest/meta-data"),
    private("a name that resolves to a private address", "http://inside.example/a.png"),
    private("a name that nobody knows", "http://nowhere.example/a.png"),
    private(
        "a redirect to a loopback address",
        "http://public.example:{port}/a-redirect-to-a-loopback-address",
        answering(302, Location="http://127.0.0.2/a.png"),
    ),
)

CASES = (*FILES, *ADDRESSES)
