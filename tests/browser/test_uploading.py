"""Models dropped onto the page: sent in parts, cut and resumed, paused and discarded."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Request, Route, expect

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.testing import a_descriptor
from modelium.gateway.uploads.files import HIDDEN
from tests.browser.pages import opened
from tests.integration.gateway_rig import Rig, running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

PART = 8 << 20
SENT = "uploaded; it is being looked at"


@dataclass
class Place:
    """A page at which uploads are on, and the folder of the models."""

    rig: Rig
    page: Page
    models: Path
    parts: list[str] = field(default_factory=list)
    """The offset of each part that was sent."""

    async def drop(self, *paths: Path, x: float = 400, y: float = 400) -> None:
        """As from the desktop: a browser makes entries only of real files."""
        session = await self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            said = {"type": kind, "x": x, "y": y, "data": data}
            await session.send("Input.dispatchDragEvent", said)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    def note(self, request: Request) -> None:
        if offset := request.headers.get("upload-offset"):
            self.parts.append(offset)

    def unfinished(self) -> list[Path]:
        return list((self.models / HIDDEN).glob("*.part"))


@asynccontextmanager
async def a_place(browser: Browser, at: Path) -> AsyncIterator[Place]:
    models = at / "models"
    models.mkdir()
    uploads = {"enabled": True, "directory": models}
    async with (
        running_gateway(uploads=uploads) as rig,
        opened(browser, rig.url, "/models") as tab,
    ):
        place = Place(rig, tab.page, models)
        tab.page.on("request", place.note)
        await expect(tab.page.get_by_role("button", name="Upload a folder")).to_be_visible()
        yield place


def a_model(at: Path, name: str, files: dict[str, bytes]) -> Path:
    """A folder to drop."""
    for file, body in files.items():
        path = at / "desktop" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return at / "desktop" / name


async def test_a_folder_is_sent_whole_although_it_is_cut(browser: Browser, tmp_path: Path) -> None:
    weights = os.urandom(2 * PART + 1000)
    files = {"config.json": b"{}", "sub/weights.bin": weights, ".git/config": b"no"}
    async with a_place(browser, tmp_path) as place:
        page = place.page
        cuts: list[str] = []

        async def cut(route: Route) -> None:
            """The line breaks at the second part, once."""
            if route.request.headers.get("upload-offset") == str(PART) and not cuts:
                cuts.append(route.request.url)
                await route.abort("connectionreset")
            else:
                await route.continue_()

        await page.route("**/admin/uploads/*", cut)
        await place.drop(a_model(tmp_path, "my model", files))
        await expect(page.get_by_label("Upload as the model")).to_have_value("my-model")
        await expect(page.get_by_text("2 files, 16 MiB")).to_be_visible()
        await page.get_by_label("Upload as the model").fill("mine")
        assert not (place.models / "mine").exists()
        await place.press("Upload")
        await expect(page.get_by_text(SENT)).to_be_visible()
        assert sorted(place.parts) == sorted(map(str, [0, 0, PART, PART, 2 * PART])), "one twice"
        assert (place.models / "mine" / "config.json").read_bytes() == b"{}"
        assert (place.models / "mine" / "sub" / "weights.bin").read_bytes() == weights
        assert not (place.models / "mine" / ".git").exists()
        await place.press("Close")
        await expect(page.get_by_role("region", name="Uploads")).to_have_count(0)
        assert await page.evaluate("localStorage.length") == 0


async def held_at_the_second_part(place: Place) -> None:
    """Begin what was dropped, and have its second part stay on the way."""
    held: list[Route] = []

    async def hold(route: Route) -> None:
        if route.request.headers.get("upload-offset") == str(PART):
            held.append(route)
        else:
            await route.continue_()

    await place.page.route("**/admin/uploads/*", hold)
    await place.press("Upload")
    await place.rig.until(lambda: bool(held))
    await place.press("Pause")
    await expect(place.page.get_by_text("paused")).to_be_visible()
    # Or what is held would be let go, and might be faster than its end.
    for route in held:
        await route.abort()
    await place.page.unroute("**/admin/uploads/*")


async def test_an_upload_is_paused_and_gone_on_with_by_a_new_page(
    browser: Browser, tmp_path: Path
) -> None:
    weights = os.urandom(PART + 5)
    folder = a_model(tmp_path, "big", {"weights.bin": weights})
    async with a_place(browser, tmp_path) as place:
        await place.drop(folder)
        await held_at_the_second_part(place)
        await place.page.reload()
        await expect(place.page.get_by_role("button", name="Upload a folder")).to_be_visible()
        place.parts.clear()
        await place.drop(folder)
        await place.press("Upload")
        await expect(place.page.get_by_text(SENT)).to_be_visible()
        assert place.parts == [str(PART)], "what was there is not sent again"
        assert (place.models / "big" / "weights.bin").read_bytes() == weights


async def test_what_is_refused_can_be_tried_again_and_what_is_discarded_is_gone(
    browser: Browser, tmp_path: Path
) -> None:
    async with a_place(browser, tmp_path) as place:
        (place.models / "known").mkdir()
        await place.drop(a_model(tmp_path, "known", {"weights.bin": b"x"}))
        await place.press("Upload")
        await expect(place.page.get_by_role("alert")).to_contain_text("a model known already")
        (place.models / "known").rmdir()
        await place.press("Try again")
        await expect(place.page.get_by_text(SENT)).to_be_visible()
        await place.press("Close")

        await place.drop(a_model(tmp_path, "unwanted", {"weights.bin": os.urandom(PART + 1)}))
        await held_at_the_second_part(place)
        assert place.unfinished()
        await place.press("Discard")
        await place.rig.until(lambda: not place.unfinished())
        assert not (place.models / "unwanted").exists()


async def test_an_image_dropped_where_one_is_asked_for_is_no_upload(
    browser: Browser, tmp_path: Path
) -> None:
    image = tmp_path / "cat.png"
    image.write_bytes(b"")
    async with a_place(browser, tmp_path) as place:
        about = a_descriptor(task=Task.VISION, runtime=RuntimeKind.RAY_SERVE)
        await place.rig.become("eyes", descriptor=about, path="/models/eyes")
        await place.page.goto(f"{place.rig.url}/ui/models/eyes")
        field = place.page.get_by_text("Drop an image here")
        await expect(field).to_be_visible()
        box = await field.bounding_box()
        assert box is not None
        await place.drop(image, x=box["x"] + 5, y=box["y"] + 5)
        await expect(place.page.get_by_role("img", name="The image cat.png")).to_be_attached()
        await expect(place.page.get_by_text("Drop the folder of a model")).to_have_count(0)
        await expect(place.page.get_by_role("region", name="Uploads")).to_have_count(0)
        await place.drop(image, x=5, y=300)
        await expect(place.page.get_by_label("Upload as the model")).to_have_value("cat")
