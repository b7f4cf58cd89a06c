"""Which exports a request may name: those in the folder of `[export] path`, and in `[export] request_roots`.

Whoever may trigger a run may not therefore read whatever its worker can. A name is held to the roots by its text
before anything is looked at; a local one also by where its symbolic links lead; and it is opened step by step from
its root, without following any link, so that a link which is put there in between leads nowhere.
"""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from tryon_catalogue.exports.errors import ExportMissingError, ExportRefusedError
from tryon_catalogue.words import CONTROLS

LONGEST: Final = 1024
"""Characters of a name at most."""
WHERE: Final = "name one in the folder of [export] path or of [export] request_roots"

_FILE: Final = "file://"
_UP: Final = r"(?:^|/)\.\.(?:/|$)"
# :: chains storages for their library. Control characters are in no name that anybody means, and logs repeat it.
_NEVER: Final = re.compile(rf"{_UP}|::|{CONTROLS.pattern}")
_CONNECTION: Final = re.compile(r"://[^/]*@")
_FOR_SCHEMA: Final = re.compile(r"([.^$*+?()\[\]{}|\\/])")


def pattern_of(roots: Sequence[str]) -> str:
    """Give the JSON-schema pattern of what a request may name: what can be checked in the text alone."""
    within = "|".join(f"(?:{_escaped(root)})\\/[^\\/]" for root in map(_bare, roots))
    # Neither absolute nor a URL: it is looked for in the first root.
    relative = r"(?!\/|[A-Za-z][A-Za-z0-9+.\-]*:)[^\/]"
    return rf"^(?!.*(?:^|\/)\.\.(?:\/|$))(?!.*::)(?:$|{'|'.join(filter(None, (within, relative)))})"


def requested_place(name: str, roots: Sequence[str]) -> str:
    """Give the path or URL that a request means by a name. Nothing is looked at yet.

    Args:
        name: A path or URL in a root; or a path from the first root on.
        roots: As of the settings; one may have an Airflow connection before its bucket.

    Returns:
        It, with the root's connection.

    Raises:
        ExportRefusedError: It lies in none of the roots, or is written as no name is.
    """
    if len(name) > LONGEST:
        raise ExportRefusedError(
            f"{name[:80]}...", f"has a name of more than {LONGEST:,} characters; {WHERE}"
        )
    if _NEVER.search(name):
        raise ExportRefusedError(repr(name), f"has .., :: or a control character in its name; {WHERE}")
    if _CONNECTION.search(name):
        problem = "has a connection or a login before its bucket, which no request may name; leave it out"
        raise ExportRefusedError(_CONNECTION.sub("://***@", name), problem)
    plain = _plain(name)
    if "://" not in plain and not plain.startswith("/"):
        if not roots:
            raise ExportRefusedError(name, f"lies in no folder that runs may be asked for; {WHERE}")
        return f"{roots[0]}/{plain}"
    for root in roots:
        if plain.startswith(f"{_bare(root)}/"):
            return root + plain.removeprefix(_bare(root))
    raise ExportRefusedError(name, f"lies in no folder that runs may be asked for; {WHERE}")


def hold_within(path: Path, roots: Sequence[str]) -> tuple[Path, Path]:
    """Give the root that a local path lies in, and the path itself, both without links.

    Args:
        roots: As of the settings; those that are URLs are left aside.

    Raises:
        ExportRefusedError: Its links lead out of the roots.
    """
    real = Path(os.path.realpath(path))
    folders = (Path(os.path.realpath(root)) for root in map(_plain, roots) if "://" not in root)
    root = next((folder for folder in folders if real.is_relative_to(folder)), None)
    if root is None:
        raise ExportRefusedError(path, f"leads out of the folders that runs may be asked for; {WHERE}")
    return root, real


def open_within(path: Path, roots: Sequence[str]) -> IO[bytes]:
    """Open a local file that lies in one of the roots wherever its links lead, and is a regular file.

    Raises:
        ExportRefusedError: It lies in no root, or is something else than a file: a device, a pipe, a socket.
        ExportMissingError: It is not there.
        OSError: It cannot be opened.
    """
    root, real = hold_within(path, roots)
    try:
        _refuse_no_file(path, os.lstat(real).st_mode)
        descriptor = _opened(root, real.relative_to(root).parts)
    except FileNotFoundError as wrong:
        raise ExportMissingError(path, "is not there; check its name, or wait for it") from wrong
    try:
        _refuse_no_file(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _opened(root: Path, parts: Sequence[str]) -> int:
    """Open a file from a folder on, with no link on the way: what is swapped for one now fails."""
    *folders, name = parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            within = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = within
        # Not to wait for a writer, should it have become a pipe by now.
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)


def _refuse_no_file(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(path)
    if not stat.S_ISREG(mode):
        raise ExportRefusedError(path, "is no regular file; a device or a pipe is not read")


def _plain(place: str) -> str:
    """A file:// URL is the path that it means."""
    return place.removeprefix(_FILE) if place.startswith(f"{_FILE}/") else place


def _bare(root: str) -> str:
    return _plain(_CONNECTION.sub("://", root))


def _escaped(text: str) -> str:
    # Not re.escape: what it escapes beside these is an error in the JavaScript that reads such patterns too.
    return _FOR_SCHEMA.sub(r"\\\1", text)
