"""What stands in the cells of pictures: one address or several, in the ways of shops, or words for none."""

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from tryon_catalogue.settings.export import ExportImages
from tryon_catalogue.urls import canonical_url

NO_PICTURE: Final = frozenset(
    (
        *("no_selection", "nan", "n/a", "na", "null", "none", "nil", "\\n", "-", "--", "undefined", "false"),
        *("no image", "no-image", "no_image", "noimage", "no picture", "no photo", "无", "нет"),
    )
)
"""What programs and people write for no picture, in lower case. Excel's error values are told by their #."""

_PLAIN: Final = re.compile(r"https?://[^\s,;|\\<>\[\]\"']+")
_URL: Final = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:https?|ftp|file|data|s3|gs):", re.IGNORECASE)
_IMAGE_NAME: Final = re.compile(r"\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|heic)(?:\?\S*)?$", re.IGNORECASE)
_QUOTED: Final = re.compile(r"""(["'])(.*?)\1""")
# In English, German, French, Spanish and Russian.
_ERRORS: Final = frozenset(
    (
        *("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!"),
        *(
            "#BLOCKED!",
            "#CONNECT!",
            "#UNKNOWN!",
            "#BUSY!",
            "#GETTING_DATA",
            "#NV",
            "#BEZUG!",
            "#WERT!",
            "#ZAHL!",
        ),
        *(
            "#N/D",
            "#VALOR!",
            "#¡REF!",
            "#NOMBRE?",
            "#NOM?",
            "#VALEUR!",
            "#NOMBRE!",
            "#Н/Д",
            "#ССЫЛКА!",
            "#ЗНАЧ!",
        ),
    )
)
_TO_ENCODE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|[ \"#<>^`{|}\\]")


def is_error(value: str) -> bool:
    """Tell whether a value is one of Excel's errors and no text."""
    return value.upper() in _ERRORS


def pictures_of(cells: Sequence[str], more: Sequence[str], images: ExportImages) -> list[list[str]]:
    """Give the addresses of each garment's pictures, in the order of the export.

    Args:
        cells: Of the column of pictures.
        more: Of the columns of further ones: each garment's as lines of one text.
    """
    return [
        [] if not cell and not further else _plain(cell, further) or _pictures(cell, further, images)
        for cell, further in zip(cells, more, strict=True)
    ]


def _plain(cell: str, more: str) -> list[str] | None:
    """Give addresses that stand on a line each, as most do; None where a cell has to be looked at more closely."""
    lines = cell.split("\n") if not more else f"{cell}\n{more}".split("\n")
    return lines if all(map(_PLAIN.fullmatch, lines)) else None


def _pictures(cell: str, more: str, images: ExportImages) -> list[str]:
    parts = [
        *(
            part
            for line in _lines(cell)
            for part in _parts(line, images.separator, alone=images.more is not None)
        ),
        *(part for line in _lines(more) for part in _parts(line, images.separator, alone=False)),
    ]
    return [part for part in parts if part and part.casefold() not in NO_PICTURE and not is_error(part)]


def _lines(cell: str) -> list[str]:
    """Give the lines of a cell; of a list in it, the texts."""
    if cell.startswith("[") and cell.endswith("]"):
        try:
            found = json.loads(cell)
        except ValueError:
            found = [text for _, text in _QUOTED.findall(cell)]
        if isinstance(found, list) and all(isinstance(text, str) for text in found):
            return found
    return cell.splitlines()


def _parts(line: str, separator: str, *, alone: bool) -> list[str]:
    """Take a line apart, but only before what begins another address: what else has a separator in it belongs to one.

    Args:
        alone: Whether the column holds one address in each row, and others stand elsewhere.
    """
    if not separator or separator not in line:
        return [line.strip()]
    if _URL.match(line):
        parts = _before(separator, r"(?:https?:)?//").split(line)
    elif line.startswith("/"):
        parts = _before(separator, r"/|https?://").split(line)
    else:
        parts = [line] if alone else _names(line, separator)
    return [part.strip().replace(f"\\{separator}", separator) for part in parts]


@lru_cache
def _before(separator: str, begins: str) -> re.Pattern[str]:
    # A separator after a backslash belongs to the address.
    return re.compile(rf"(?<!\\)\s*{re.escape(separator)}\s*(?={begins})", re.IGNORECASE)


def _names(line: str, separator: str) -> list[str]:
    """Take names of files apart: each ends as such names do, where any of them does."""
    parts = re.split(rf"(?<!\\){re.escape(separator)}", line)
    if not any(_IMAGE_NAME.search(part.strip()) for part in parts):
        return parts
    names: list[str] = []
    begun = ""
    for part in parts:
        begun = f"{begun}{separator}{part}" if begun else part
        if _IMAGE_NAME.search(part.strip()) or not part.strip():
            names.append(begun)
            begun = ""
    return [*names, begun] if begun else names


def completer(base_url: str | None) -> Callable[[str], str]:
    """Make what gives the whole address for what stands in a cell.

    Args:
        base_url: What stands before each that is no URL by itself.
    """
    base = None if base_url is None else base_url.rstrip("/")

    def whole(address: str) -> str:
        if address.startswith("//"):
            return canonical_url(f"https:{address}")
        if base is None or not address or _SCHEME.match(address):
            return canonical_url(address)
        # The names of files, as they are on a disk; what is encoded already stays as it is.
        return canonical_url(f"{base}/{_TO_ENCODE.sub(_encoded, address.lstrip('/'))}")

    return whole


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
