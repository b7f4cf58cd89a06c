"""The label itself: what is said of a picture, as an XMP packet (ISO 16684-1), and read back from one.

What others wrote into a packet stays: some markets forbid to take away the mark that the maker of a picture put
there. Only the properties that a label consists of are replaced.

Nothing is written as IPTC-IIM, the older form of the same standard: it has no place for the source type, and its
short fields have no agreed character set. What a file has of it is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from xml.etree import ElementTree as ET  # text with declarations, the way to swell, is refused before
from xml.sax.saxutils import escape

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for pictures that a trained model made. Marketplaces ask for it, Google Merchant Center for one."""

LONGEST_TEXT = 1_000
"""Characters of one text. Four of them fit a JPEG's packet in any script."""
LARGEST_OLD_BYTES = 1_000_000
"""Of a packet that was there: what is larger is no description of a picture, and is not taken over."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
DC = "http://purl.org/dc/elements/1.1/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"

_META_TAG = "{adobe:ns:meta/}xmpmeta"
_RDF_TAG = f"{{{RDF}}}RDF"
_SOURCE_TYPE = f"{{{IPTC_EXT}}}DigitalSourceType"
_PROPERTIES = {
    "creator_tool": f"{{{XMP}}}CreatorTool",
    "sku": f"{{{DC}}}identifier",
    "title": f"{{{DC}}}title",
    "source": f"{{{DC}}}source",
}
_OURS = frozenset({_SOURCE_TYPE, *_PROPERTIES.values()})

# The order in which the properties are written.
_TEMPLATES = {
    "creator_tool": "<xmp:CreatorTool>{}</xmp:CreatorTool>",
    "sku": "<dc:identifier>{}</dc:identifier>",
    "title": '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:title>',
    "source": "<dc:source>{}</dc:source>",
}
_OPENING = (
    f'<rdf:Description xmlns:rdf="{RDF}" xmlns:xmp="{XMP}" xmlns:dc="{DC}" xmlns:Iptc4xmpExt="{IPTC_EXT}"'
    ' rdf:about="">'
)
# What is left of a description, in canonical form, once each of its properties was one of ours.
_EMPTY = re.compile(rf'<rdf:Description(?: xmlns:rdf="{re.escape(RDF)}")? rdf:about=""></rdf:Description>')
_WRAPPING = re.compile(r"<\?xpacket.*?\?>", re.DOTALL)
_END_OF_RDF = "</rdf:RDF>"
_BINDING = re.compile(r' xmlns:?([^\s=]*)="([^"]*)"')
_PREFIXES = {RDF: "rdf", XMP: "xmp", DC: "dc", IPTC_EXT: "Iptc4xmpExt"}
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAKS = re.compile(r"[\t\n\r ]+")


@dataclass(frozen=True, slots=True)
class Label:
    """What an archived picture says of itself, besides that a trained model made it.

    Any text is taken: what XML cannot hold becomes U+FFFD, line breaks become blanks, and what goes beyond
    ``LONGEST_TEXT`` is cut. An empty text is left out.

    Attributes:
        creator_tool: What made the picture (``xmp:CreatorTool``)
        sku: Of the garment (``dc:identifier``)
        title: Of the garment, for people (``dc:title``)
        source: What the picture was made from and in which job, as the ledger knows it (``dc:source``); it is
            published with the picture, so it holds no secret and no signed address.
    """

    creator_tool: str
    sku: str
    title: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Keep of each text what a packet can hold, so that a label equals what is read back."""
        for field in fields(self):
            object.__setattr__(self, field.name, _plain(getattr(self, field.name)))


def make_packet(label: Label, old: bytes | None, limit: int) -> bytes:
    """Write a label as an XMP packet, together with what else an old packet says.

    Args:
        old: The packet that is there now; one that cannot be read is not taken over.
        limit: The most bytes there is room for; what the old one says is left out when it does not fit.

    Returns:
        The packet; the same for a packet that has the label already.
    """
    ours = _description(label)
    rest = _foreign(old) if old else None
    if rest is not None:
        place = rest.rindex(_END_OF_RDF)
        packet = _wrapped(rest[:place] + ours + rest[place:])
        if len(packet) <= limit:
            return packet
    return _wrapped(
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{ours}</rdf:RDF></x:xmpmeta>'
    )


def read_packet(packet: bytes) -> Label | None:
    """Read the label of an XMP packet.

    Returns:
        The label; None when the packet cannot be read or does not say that a trained model made the picture.
    """
    root = _rdf(_text(packet))
    if root is None:
        return None
    kind = _value(root, _SOURCE_TYPE).rpartition("/")[2]
    if kind != DIGITAL_SOURCE_TYPE.rpartition("/")[2]:
        return None
    return Label(**{name: _value(root, tag) for name, tag in _PROPERTIES.items()})


def _plain(text: str) -> str:
    text = _NOT_IN_XML.sub("\ufffd", _BREAKS.sub(" ", text))
    return text.strip(" ")[:LONGEST_TEXT].rstrip(" ")


def _description(label: Label) -> str:
    texts = {name: getattr(label, name) for name in _TEMPLATES}
    properties = "".join(_TEMPLATES[name].format(escape(text)) for name, text in texts.items() if text)
    kind = f"<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
    return f"{_OPENING}{kind}{properties}</rdf:Description>"


def _wrapped(body: str) -> bytes:
    # "r": a packet that is not to be changed in place, hence without room to grow.
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    return f'{begin}{body}<?xpacket end="r"?>'.encode()


def _foreign(packet: bytes) -> str | None:
    """Give what others say in a packet, in canonical form; None when it cannot be read or nothing is left.

    A packet with prefixes of its own for the namespaces of a label counts as one that cannot be read: readers built
    on Adobe's find nothing in a file that uses two for one, not even our label.
    """
    text = _text(packet)
    if _rdf(text) is None:
        return None
    rest = ET.canonicalize(text, exclude_tags=_OURS, exclude_attrs=_OURS)
    rest = _EMPTY.sub("", _WRAPPING.sub("", rest)).strip()
    root = _rdf(rest)
    usual = all(_PREFIXES.get(uri, prefix) == prefix for prefix, uri in _BINDING.findall(rest))
    return rest if usual and root is not None and len(root) else None


def _text(packet: bytes) -> str:
    """Give a packet's text; empty when it is not text in UTF-8, declares entities or is far too large."""
    if len(packet) > LARGEST_OLD_BYTES:
        return ""
    try:
        text = packet.decode().strip("\ufeff\0\t\n\r ")
    except UnicodeDecodeError:
        return ""
    return "" if "<!DOCTYPE" in text else text


def _rdf(text: str) -> ET.Element | None:
    """Find the element with the descriptions; None when the text is no XMP."""
    try:
        root = ET.fromstring(text)  # noqa: S314  # see _text: no declarations, bounded size
    except ET.ParseError:
        return None
    if root.tag == _META_TAG and len(root) == 1:
        root = root[0]
    return root if root.tag == _RDF_TAG else None


def _value(root: ET.Element, tag: str) -> str:
    """Read a simple property, which may be an attribute, an element or the first item of a list."""
    for description in root:
        if (text := description.get(tag)) is not None:
            return text
        if (found := description.find(tag)) is not None:
            item = found.find(f".//{{{RDF}}}li")
            return (found if item is None else item).text or ""
    return ""
