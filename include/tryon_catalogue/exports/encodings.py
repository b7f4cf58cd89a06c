"""Which encoding a text file is in: the one that it says, UTF-8, or a guess that people are shown."""

import codecs
import re
from itertools import islice
from typing import Final

import chardet

from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.garments import printable
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.text import MARKS
from tryon_catalogue.settings.export import AUTO

_BLOCK: Final = 1 << 20
_SAMPLE: Final = 100_000
"""Bytes of words with other than ASCII letters that a guess is made by."""
_SHOWN: Final = 5
# A field that has other than ASCII letters in it. What stands between fields in most files ends it.
_TELLING: Final = re.compile(rb"[^,;|\t\r\n\"]*[\x80-\xff][^,;|\t\r\n\"]*")
# What programs on Windows, on old Macs and on the web write. Rarer ones resemble these, and are named by hand.
_TRIED: Final = (
    *(
        "gb18030",
        "big5",
        "cp932",
        "cp949",
        "euc-jp",
        "cp1250",
        "cp1251",
        "cp1252",
        "cp1253",
        "cp1254",
        "cp1255",
    ),
    *("cp1256", "cp1257", "cp1258", "cp874", "mac_roman", "koi8_r"),
)
_UNSAID: Final = ("utf-8",)
_LEAST: Final = 0.01
"""Confidence below which bytes are no text. Two Chinese words have 0.02."""
_PREFERRED: Final = {"gb18030": 0.4, "cp1252": 0.6}
"""The commonest encodings of China and of Western Europe -> the share of the best one's confidence from which they are
taken: with few words to go by, their rarer neighbours win too often."""


def encoding_of(file: ExportFile, configured: str) -> str:
    """Give the encoding the whole file can be read in. A guess is noted, with words that hang on it.

    The file is read through once for this: an error in its last line must not come after the first rows have
    been planned and paid for.

    Args:
        configured: The name of an encoding, or "auto".

    Raises:
        ExportError: It is not in this encoding; or, with "auto", in none of those that are tried.
    """
    if configured != AUTO:
        candidates: tuple[str, ...] = (configured.lower().replace("-sig", ""),)
    elif marked := next((name for mark, name in MARKS.items() if file.head.startswith(mark)), None):
        candidates = (marked,)
    else:
        candidates = _UNSAID
    problems = []
    for encoding in candidates:
        problem = _undecodable(file, encoding)
        if problem is None:
            return encoding
        problems.append(f"not {encoding} at {problem}")
    if candidates == _UNSAID and configured == AUTO:
        telling = _telling(file)
        guess = _guess(telling)
        problem = _undecodable(file, guess) if guess else "any place"
        if guess is not None and problem is None:
            _note(file, guess, telling)
            return guess
        problems += [f"not {guess} at {problem}"] if guess else []
    raise ExportError(
        file, f"cannot be decoded: {'; '.join(problems)}. Correct the file, or name its encoding in [export]"
    )


def _note(file: ExportFile, encoding: str, telling: list[bytes]) -> None:
    words = dict.fromkeys(printable(word.decode(encoding, "replace").strip()) for word in telling)
    listed = ", ".join(f"“{word}”" for word in islice(words, _SHOWN))
    file.note(
        f"It does not say its encoding, and is no UTF-8; it is taken for {encoding} by the look of it. Look whether "
        f"these are words: {listed}. Where they are not, name its encoding in [export]"
    )


def _telling(file: ExportFile) -> list[bytes]:
    """Give the first fields that look different in different encodings."""
    found: dict[bytes, None] = {}
    size = 0
    with file.open() as stream:
        while size < _SAMPLE and (block := stream.read(_BLOCK)):
            for field in _TELLING.findall(block):
                if field not in found:
                    found[field] = None
                    size += len(field)
                if size >= _SAMPLE:
                    break
    return list(found)


def _guess(telling: list[bytes]) -> str | None:
    """Guess the encoding of the fields that look different in different ones; None where they are words in none."""
    found = chardet.detect_all(b" ".join(telling), ignore_threshold=True, include_encodings=_TRIED)
    confidence = {
        codecs.lookup(guess["encoding"]).name: guess["confidence"]
        for guess in found
        if guess["encoding"] and guess["confidence"] >= _LEAST
    }
    if not confidence:
        return None
    best = max(confidence, key=lambda name: confidence[name])
    return next(
        (name for name, share in _PREFERRED.items() if confidence.get(name, 0) >= share * confidence[best]),
        best,
    )


def _undecodable(file: ExportFile, encoding: str) -> str | None:
    """Say where a file stops being text of an encoding, in words; None when all of it is."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    read = line_feeds = 0
    with file.open() as stream:
        while True:
            block = stream.read(_BLOCK)
            start = read - len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as wrong:
                at = start + wrong.start
                line = line_feeds + block[: max(0, at - read)].count(b"\n") + 1
                return f"byte {at} (line {line}: {wrong.object[wrong.start : wrong.end].hex(' ')})"
            if not block:
                return None
            read += len(block)
            line_feeds += block.count(b"\n")
