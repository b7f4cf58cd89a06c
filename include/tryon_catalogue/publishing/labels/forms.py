"""Which of the forms of picture files a file has. It looks at its first bytes, not at its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tryon_catalogue.publishing.labels import jpeg, png
from tryon_catalogue.publishing.labels.errors import LabelError

if TYPE_CHECKING:
    from types import ModuleType

FORMS = (jpeg, png)


def form_of(content: bytes) -> ModuleType:
    """Find the module for a picture file's form.

    Returns:
        ``labels.jpeg`` or ``labels.png``.

    Raises:
        LabelError: It is neither.
    """
    for form in FORMS:
        if content.startswith(form.SIGNATURE):
            return form
    raise LabelError("not a picture that can be labelled: neither a JPEG nor a PNG file")
