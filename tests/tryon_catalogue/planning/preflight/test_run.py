from __future__ import annotations

import functools
import io
import os
import threading
from collections.abc import Callable, Iterator
from datetime import date
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, select

from tryon_catalogue.ledger.tables import garment_looks, looks, rejections
from tryon_catalogue.pictures.archive import Archive
from tryon_catalogue.planning.preflight.run import Preflight, preflight_run
from tryon_catalogue.planning.record import Plan, plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.reporting.notes import as_text, read_run_note
from tryon_catalogue.settings import RosterModel, Settings
from tryon_catalogue.storage import StorageError

CDN = "https://cdn.shop.example"
HEADER = "sku,title,collection,category,image_url,pants_url,mask_url,model_url\n"
Night = Callable[..., tuple[Preflight, Plan]]


class Shop:
    """A folder of pictures behind an address, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.asked: list[tuple[str, int]] = []

    def put(
        self, name: str, size: tuple[int, int] = (600, 800), colour: object = "navy", kind: str = "PNG"
    ) -> str:
        """Put a picture on the shelf and give its address."""
        content = io.BytesIO()
        mode = "L" if isinstance(colour, int) else "RGB"
        Image.new(mode, size, colour).save(content, kind)  # type: ignore[arg-type]  # whatever Pillow takes
        path = self.folder / name
        before = path.stat().st_mtime if path.exists() else None
        path.write_bytes(content.getvalue())
        if before is not None:  # the server tells versions apart by whole seconds
            os.utime(path, (before + 5, before + 5))
        return f"{self.url}/{name}"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop's web server."""
    folder = tmp_path / "shop"
    folder.mkdir()
    served = Shop(folder)

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            served.asked.append((self.path, int(code)))

        def log_message(self, *_args: object) -> None:
            """Keep quiet."""

    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
def ours(settings: Settings, shop: Shop, tmp_path: Path) -> Settings:
    """Settings with a roster of that shop's and nothing remembered as settled."""
    models = tuple(
        model.model_copy(update={"image": shop.put(f"{model.name}.png", (600, 900), colour)})
        for model, colour in zip(settings.roster.models, ("gray", "tan"), strict=True)
    )
    return settings.model_copy(
        update={
            "roster": settings.roster.model_copy(update={"models": models}),
            "archive": settings.archive.model_copy(
                update={"path": str(tmp_path / "archive"), "public_url": CDN}
            ),
            "preflight": settings.preflight.model_copy(update={"recheck_minutes": 0}),
        }
    )


@pytest.fixture
def night(engine: Engine, ours: Settings, tmp_path: Path) -> Night:
    """Write an export, check and plan it: ``night(rows, run_id=..., **preflight settings)``."""

    def run(rows: list[str], run_id: str = "dag/1", **changes: Any) -> tuple[Preflight, Plan]:
        file = tmp_path / f"{run_id.replace('/', '-')}.csv"
        file.write_text(HEADER + "".join(f"{one}\n" for one in rows))
        changed = ours.model_copy(update={"preflight": ours.preflight.model_copy(update=changes)})
        found = preflight_run(engine, changed, str(file))
        return found, plan_run(engine, changed, Run(run_id, str(file), date(2026, 11, 20)))

    return run


def row(sku: str, top: str, *, mask: str = "", model: str = "") -> str:
    return f"{sku},T,autumn,shirt,{top},,{mask},{model}"


def all_looks(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(looks).order_by(looks.c.position)).all())


def all_rejections(engine: Engine, run_id: str = "dag/1") -> list[Any]:
    with engine.connect() as connection:
        return list(
            connection.execute(
                select(rejections).where(rejections.c.run_id == run_id).order_by(rejections.c.id)
            ).all()
        )


def test_each_picture_is_fetched_once_whoever_wants_it(shop: Shop, night: Night) -> None:
    top = shop.put("top.png")
    found, plan = night([row("a", top), row("b", top), row("c", shop.put("other.png", colour="red"))])
    assert (found.images, found.fetched, found.broken) == (3, 3, 0)
    assert sorted(shop.asked) == [("/anna.png", 200), ("/other.png", 200), ("/top.png", 200)]
    assert (plan.rows, plan.rejected, plan.looks, plan.new) == (3, 0, 2, 2)


def test_an_archive_that_takes_nothing_ends_a_night_before_it_plans_though_each_picture_is_known(
    engine: Engine, ours: Settings, shop: Shop, night: Night, tmp_path: Path
) -> None:
    rows = [row("a", shop.put("top.png"))]
    night(rows)
    full = tmp_path / "no-folder"
    full.write_text("no folder can be made below a file, not even by root")
    read_only = ours.archive.model_copy(update={"path": str(full / "archive")})
    with pytest.raises(StorageError, match="so nothing is sent"):
        preflight_run(engine, ours.model_copy(update={"archive": read_only}), str(tmp_path / "dag-1.csv"))


def test_the_trial_of_the_archive_leaves_nothing_behind(ours: Settings) -> None:
    Archive(ours.archive).check()
    assert list(Path(ours.archive.path).iterdir()) == []


def test_the_second_night_only_asks_whether_anything_has_changed(shop: Shop, night: Night) -> None:
    rows = [row("a", shop.put("top.png"))]
    night(rows)
    shop.asked.clear()
    found, plan = night(rows, "dag/2")
    assert (found.images, found.unchanged, found.fetched) == (2, 2, 0)
    assert {code for _, code in shop.asked} == {304}
    assert plan.looks == 1


def test_what_was_checked_lately_is_not_asked_for_again(shop: Shop, night: Night) -> None:
    rows = [row("a", shop.put("top.png"))]
    night(rows)
    shop.asked.clear()
    found, _ = night(rows, "dag/2", recheck_minutes=60)
    assert (found.images, found.remembered) == (2, 2)
    assert shop.asked == []


def test_the_same_picture_at_another_address_is_the_same_look_and_is_sent_from_there(
    engine: Engine, shop: Shop, night: Night
) -> None:
    night([row("a", shop.put("monday.png"))])
    tuesday = shop.put("tuesday.png")
    night([row("a", tuesday)], "dag/2")
    (look,) = all_looks(engine)
    assert look.tops_image == tuesday


def test_a_new_picture_at_the_old_address_is_a_new_look(engine: Engine, shop: Shop, night: Night) -> None:
    rows = [row("a", shop.put("top.png"))]
    night(rows)
    shop.put("top.png", colour="red")
    night(rows, "dag/2")
    assert len({look.key for look in all_looks(engine)}) == 2


def test_a_picture_that_breaks_a_rule_rejects_its_row_with_the_figures_and_nothing_else(
    engine: Engine, shop: Shop, night: Night
) -> None:
    found, plan = night([row("small", shop.put("s.png", (399, 800))), row("good", shop.put("g.png"))])
    assert (found.broken, plan.rejected, plan.new) == (1, 1, 1)
    (rejection,) = all_rejections(engine)
    assert (rejection.line, rejection.sku, rejection.rule, rejection.column) == (
        2,
        "small",
        "too_small",
        "image_url",
    )
    assert rejection.image == f"{shop.url}/s.png"
    assert "399" in rejection.measured
    assert "400" in rejection.limit
    assert rejection.measured in rejection.reason


def test_a_picture_that_is_not_there_rejects_its_row_and_is_asked_for_again_the_next_time(
    engine: Engine, shop: Shop, night: Night
) -> None:
    rows = [row("late", f"{shop.url}/late.png")]
    _, plan = night(rows)
    assert (plan.rejected, plan.new) == (1, 0)
    (rejection,) = all_rejections(engine)
    assert (rejection.rule, "404" in rejection.measured) == ("unreachable", True)
    shop.put("late.png")
    _, plan = night(rows, "dag/2", recheck_minutes=60)
    assert (plan.rejected, plan.new) == (0, 1)


def test_a_model_whose_picture_breaks_a_rule_is_left_out_and_named(
    engine: Engine, shop: Shop, ours: Settings, night: Night
) -> None:
    shop.put("anna.png", (300, 900))
    _, plan = night([row("a", shop.put("top.png"))])
    assert (plan.rejected, plan.new) == (1, 0)
    roster, of_row = all_rejections(engine)
    assert (roster.line, roster.sku, roster.column) == (0, None, "model anna")
    assert (of_row.line, of_row.sku, of_row.rule) == (2, "a", "too_small")


@pytest.mark.parametrize(("size", "rule"), [((600, 900), None), ((600, 901), "mask_size")])
def test_a_mask_has_to_be_as_large_as_its_picture(
    engine: Engine, shop: Shop, night: Night, size: tuple[int, int], rule: str | None
) -> None:
    mask = shop.put("mask.png", size, 255)
    person = shop.put("person.png", (600, 900), "tan")
    night([row("a", shop.put("top.png"), mask=mask, model=person)])
    assert [rejection.rule for rejection in all_rejections(engine)] == ([rule] if rule else [])
    assert len(all_looks(engine)) == (0 if rule else 1)


def test_small_copies_of_the_pictures_are_kept(
    engine: Engine, ours: Settings, shop: Shop, night: Night
) -> None:
    night([row("a", shop.put("top.png", (1200, 1600)))])
    (look,) = all_looks(engine)
    for digest in (look.model_sha256, look.tops_sha256):
        copy = Archive(ours.archive).read_input(digest)
        assert copy is not None
        with Image.open(io.BytesIO(copy)) as picture:
            assert (picture.format, max(picture.size) <= 512) == ("JPEG", True)


def test_a_file_that_can_be_put_right_is_served_from_the_archive_where_that_is_allowed(
    engine: Engine, ours: Settings, shop: Shop, night: Night
) -> None:
    rows = [row("a", shop.put("top.png", kind="WEBP"))]
    assert night(rows)[1].rejected == 1
    found, plan = night(rows, "dag/2", repair=True)
    assert (found.repaired, plan.rejected, plan.new) == (1, 0, 1)
    (look,) = all_looks(engine)
    with Image.open(ours.archive.path + look.tops_image.removeprefix(CDN)) as copy:
        assert (copy.format in {"JPEG", "PNG"}, copy.size) == (True, (600, 800))
    note = as_text(read_run_note(engine, close_run(engine, ours, "dag/2")))
    assert "repaired pictures sent: 1" in note


def test_a_picture_that_was_never_checked_is_not_sent(engine: Engine, ours: Settings, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(f"{HEADER}{row('a', 'https://pictures.example/a.png')}\n")
    plan = plan_run(engine, ours, Run("dag/1", str(file), date(2026, 11, 20)))
    assert (plan.rejected, plan.new) == (1, 0)
    assert all_rejections(engine)[-1].rule == "unchecked"


def test_a_model_that_is_left_out_for_a_night_takes_no_look_from_the_garment(
    engine: Engine, shop: Shop, ours: Settings, night: Night, tmp_path: Path
) -> None:
    anna, ben = ours.roster.models
    both = (anna, RosterModel(name=ben.name, image=ben.image, tags=anna.tags))
    ours = ours.model_copy(update={"roster": ours.roster.model_copy(update={"models": both})})
    file = tmp_path / "export.csv"
    file.write_text(f"{HEADER}{row('a', shop.put('top.png'))}\n")
    for number, spoil in enumerate((False, True), start=1):
        if spoil:
            (shop.folder / "anna.png").unlink()
        preflight_run(engine, ours, str(file))
        plan_run(engine, ours, Run(f"dag/{number}", str(file), date(2026, 11, 20)))
    with engine.connect() as connection:
        held = connection.execute(
            select(garment_looks.c.position, looks.c.model)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .order_by(garment_looks.c.position)
        ).all()
    assert [tuple(one) for one in held] == [(0, "anna"), (1, "ben")]
