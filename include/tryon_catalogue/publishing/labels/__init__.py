"""Labels: archived pictures say in themselves that a trained model made them, and of which garment.

``label`` writes that into the file's metadata and leaves the compressed pixels alone, so it costs no quality.
``read_label`` reads it back. What people see in the picture itself is in ``labels.marks``, which does compress
again and wants Pillow.
"""

from __future__ import annotations

from tryon_catalogue.publishing.labels.errors import LabelError
from tryon_catalogue.publishing.labels.forms import form_of
from tryon_catalogue.publishing.labels.packet import (
    DIGITAL_SOURCE_TYPE,
    Label,
    make_packet,
    read_packet,
)

__all__ = ["DIGITAL_SOURCE_TYPE", "Label", "LabelError", "label", "read_label"]


def label(content: bytes, details: Label) -> bytes:
    """Write a label into a picture's metadata. The pixels are not touched, not even decoded.

    Exif, colour profile and whatever else the file has stay. A label that is there is replaced; what others wrote
    beside it stays. Labelling twice gives the same bytes as labelling once.

    Args:
        content: A JPEG or PNG file's bytes.

    Returns:
        The labelled file's bytes.

    Raises:
        LabelError: Not a JPEG or PNG file, or one that is broken.
    """
    form = form_of(content)
    packet = make_packet(details, form.find_packet(content), form.LARGEST_PACKET)
    return bytes(form.put_packet(content, packet))


def read_label(content: bytes) -> Label | None:
    """Read the label of a picture.

    Args:
        content: A JPEG or PNG file's bytes.

    Returns:
        The label; None when the file does not say that a trained model made it.

    Raises:
        LabelError: Not a JPEG or PNG file, or one that is broken.
    """
    packet = form_of(content).find_packet(content)
    return None if packet is None else read_packet(packet)
