"""What a request may name as its export, and what it learns of anything else: nothing."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tryon_catalogue.exports.helpers import HEADER, PLAIN, TOP, outcomes
from tryon_catalogue.exports import (
    ExportError,
    ExportMissingError,
    ExportRefusedError,
    read_export,
    requested,
)
from tryon_catalogue.exports.places import problem_with
from tryon_catalogue.exports.requested import open_within, pattern_of, requested_place
from tryon_catalogue.settings import ExportSettings

BUCKET = ("s3://shop@exports/daily", "/data/exports")
SECRET = "AIRFLOW__CORE__FERNET_KEY"


@pytest.fixture
def roots(tmp_path: Path) -> tuple[str, ...]:
    """A folder of exports, beside what no request may read."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "today.csv").write_text(f"{HEADER}\na,t,dress,{TOP}\n")
    (tmp_path / "secret.csv").write_text(f"{SECRET}=x,{HEADER}\na,b,c,d,e\n")
    return (str(tmp_path / "exports"),)


def skus(name: str, roots: tuple[str, ...]) -> list[str]:
    place = requested_place(name, roots)
    garments, _ = outcomes(read_export(place, ExportSettings(**PLAIN), roots))
    return [one.sku for one in garments]


def refusal(name: str, roots: tuple[str, ...]) -> str:
    with pytest.raises(ExportRefusedError) as refused:
        skus(name, roots)
    assert SECRET not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", ["{root}/today.csv", "file://{root}/today.csv", "today.csv", "{root}/*.csv"])
def test_what_lies_in_a_root_is_read(roots: tuple[str, ...], name: str) -> None:
    assert skus(name.format(root=roots[0]), roots) == ["a"]


@pytest.mark.parametrize(
    "name",
    [
        "/proc/self/environ",
        "/etc/passwd",
        "file:///etc/shadow",
        "/dev/zero",
        "{root}",
        "{root}/../secret.csv",
        "../secret.csv",
        "{root}-other/today.csv",
        "/*/passwd",
        "s3://bucket/key.csv",
        "s3://payroll@other-bucket/key.csv",
        "s3://key:secret@bucket/key.csv",
        "http://169.254.169.254/latest",
        "file::///etc/passwd",
        "simplecache::file:///etc/passwd",
        "{root}/today.csv::/etc/passwd",
        "{root}/today.csv\0",
        "file://localhost/etc/passwd",
        "a" * 2000,
    ],
)
def test_what_lies_elsewhere_is_refused_by_its_name_and_by_the_form(
    roots: tuple[str, ...], name: str
) -> None:
    name = name.format(root=roots[0])
    refusal(name, roots)
    assert len(name) > requested.LONGEST or "\0" in name or not re.search(pattern_of(roots), name)


@pytest.mark.parametrize("control", ["\n", "\x1b[2J", "\x9b31m", "\u202e", "\u2066", "\ud800"])
def test_a_name_that_would_turn_or_forge_lines_of_a_log_is_refused_and_not_repeated(
    roots: tuple[str, ...], control: str
) -> None:
    assert control[0] not in refusal(f"today{control}.csv", roots)


def test_a_login_is_not_repeated(roots: tuple[str, ...]) -> None:
    assert "secret" not in refusal("s3://key:secret@bucket/key.csv", roots)


def test_a_url_in_a_root_goes_by_the_connection_of_the_settings() -> None:
    assert requested_place("s3://exports/daily/a.csv", BUCKET) == "s3://shop@exports/daily/a.csv"
    assert requested_place("/data/exports/a.csv", BUCKET) == "/data/exports/a.csv"
    for name in ("s3://exports/daily-secret/a.csv", "s3://exports/dail", "S3://exports/daily/a.csv"):
        refusal(name, BUCKET)


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/data/catalogue-{ds}.csv", "/data"),
        ("/data/{ds}/catalogue.csv", "/data"),
        ("/data/{{a}}/x-{ds_nodash}-{ds}.csv", "/data/{a}"),
        ("/data/parts/*.csv", "/data/parts"),
        ("s3://shop@exports/{ds}/*.csv", "s3://shop@exports"),
        ("file:///data/catalogue.csv", "file:///data"),
    ],
)
def test_the_root_of_the_settings_is_the_folder_of_every_date(path: str, root: str) -> None:
    assert ExportSettings(path=path).roots == (root,)
    assert ExportSettings(path=path, request_roots=("/more/",)).roots == (root, "/more")


def test_a_path_in_the_root_of_all_files_opens_nothing() -> None:
    assert ExportSettings(path="/catalogue-{ds}.csv").roots == ()
    refusal("/etc/passwd", ())
    refusal("etc/passwd", ())


@pytest.mark.parametrize("root", ["/", "", "s3://", "/data/..", "/data/../etc"])
def test_a_root_that_confines_nothing_is_no_root(root: str) -> None:
    with pytest.raises(ValueError, match="a folder or the URL"):
        ExportSettings(path="/data/{ds}.csv", request_roots=(root,))


@pytest.mark.parametrize("link", ["link.csv", "linked/secret.csv", "linked/*.csv", "lin*.csv"])
def test_a_link_out_of_a_root_is_refused(roots: tuple[str, ...], tmp_path: Path, link: str) -> None:
    Path(roots[0], "link.csv").symlink_to(tmp_path / "secret.csv")
    Path(roots[0], "linked").symlink_to(tmp_path)
    assert "leads out of the folders" in refusal(f"{roots[0]}/{link}", roots)


def test_a_link_within_a_root_is_followed(roots: tuple[str, ...], tmp_path: Path) -> None:
    Path(roots[0], "newest.csv").symlink_to("today.csv")
    (tmp_path / "by-another-name").symlink_to(roots[0])
    assert skus("newest.csv", roots) == ["a"]
    assert skus("newest.csv", (str(tmp_path / "by-another-name"),)) == ["a"]


def test_a_device_a_pipe_and_a_socket_are_no_exports(roots: tuple[str, ...]) -> None:
    os.mkfifo(Path(roots[0], "pipe.csv"))
    Path(roots[0], "zero.csv").symlink_to("/dev/zero")
    assert "no regular file" in refusal("pipe.csv", roots)
    assert "leads out" in refusal("zero.csv", roots)
    assert "no regular file" in refusal("zero", ("/dev",))
    with socket.socket(socket.AF_UNIX) as listening:
        at = os.open(roots[0], os.O_RDONLY)
        try:
            listening.bind(f"/proc/self/fd/{at}/socket.csv")
        finally:
            os.close(at)
        assert "no regular file" in refusal("socket.csv", roots)


@contextmanager
def swapped_at_the_last_moment(swap: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put something else where a file was, after it was looked at and before it is opened."""
    look = requested._refuse_no_file
    swaps = iter([swap])  # at the first look alone: the second is at what was opened

    def look_and_swap(path: Path, mode: int) -> None:
        look(path, mode)
        for first in swaps:
            first()

    with monkeypatch.context() as patch:
        patch.setattr(requested, "_refuse_no_file", look_and_swap)
        yield


def test_a_link_swapped_in_between_look_and_opening_leads_nowhere(
    roots: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(roots[0], "today.csv").resolve()

    def swap() -> None:
        file.unlink()
        file.symlink_to(tmp_path / "secret.csv")

    with swapped_at_the_last_moment(swap, monkeypatch), pytest.raises(OSError, match="symbolic links"):
        open_within(file, roots)


def test_a_folder_swapped_for_a_link_leads_nowhere(
    roots: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(roots[0], "day").resolve()
    folder.mkdir()
    (folder / "secret.csv").write_text("sku\n")

    def swap() -> None:
        folder.rename(tmp_path / "away")
        folder.symlink_to(tmp_path)

    file = folder / "secret.csv"
    with swapped_at_the_last_moment(swap, monkeypatch), pytest.raises(NotADirectoryError):
        open_within(file, roots)


def test_a_pipe_swapped_in_holds_nobody(roots: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(roots[0], "today.csv").resolve()

    def swap() -> None:
        file.unlink()
        os.mkfifo(file)

    with (
        swapped_at_the_last_moment(swap, monkeypatch),
        pytest.raises(ExportRefusedError, match="no regular"),
    ):
        open_within(file, roots)


def test_a_file_that_is_not_there_is_missing_and_not_refused(roots: tuple[str, ...]) -> None:
    with pytest.raises(ExportMissingError):
        skus("tomorrow.csv", roots)
    assert isinstance(problem_with(f"{roots[0]}/tomorrow.csv", None, None, roots), ExportMissingError)


def test_who_only_looks_whether_it_is_there_is_refused_too(roots: tuple[str, ...], tmp_path: Path) -> None:
    Path(roots[0], "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(ExportRefusedError):
        problem_with(f"{roots[0]}/link.csv", None, None, roots)


def test_what_the_settings_name_is_not_confined(tmp_path: Path, roots: tuple[str, ...]) -> None:
    Path(roots[0], "linked.csv").symlink_to(tmp_path / "elsewhere.csv")
    (tmp_path / "elsewhere.csv").write_text(f"{HEADER}\nb,t,dress,{TOP}\n")
    garments, _ = outcomes(read_export(f"{roots[0]}/linked.csv", ExportSettings(**PLAIN)))
    assert [one.sku for one in garments] == ["b"]


def test_an_error_repeats_no_more_of_a_file_than_a_few_short_names(tmp_path: Path) -> None:
    environ = tmp_path / "environ"
    variables = [f"AIRFLOW__SECTION__KEY_{number}=value{number}" for number in range(76)]
    environ.write_text("\0".join(variables))
    with pytest.raises(ExportError) as alone:
        outcomes(read_export(environ, ExportSettings(**PLAIN)))
    assert "KEY_1" not in str(alone.value)
    assert "\0" not in str(alone.value)
    environ.write_text(",".join(variables))
    with pytest.raises(ExportError) as listed:
        outcomes(read_export(environ, ExportSettings(**PLAIN)))
    assert len(str(listed.value)) < 1000


@given(
    st.lists(
        st.sampled_from(
            [
                "..",
                ".",
                "a",
                "//",
                "/",
                "exports",
                "daily",
                "s3:",
                "file:",
                "@",
                "::",
                "\0",
                "*",
                "data",
                "\\",
                "%2e",
            ]
        ),
        max_size=8,
    ).map("".join)
)
def test_whatever_is_taken_lies_in_a_root(name: str) -> None:
    try:
        place = requested_place(name, BUCKET)
    except ExportRefusedError:
        return
    root = next(root for root in BUCKET if place.startswith(f"{root}/"))
    assert os.path.normpath(place.removeprefix(f"{root}/")).partition("/")[0] != ".."
