"""Models dropped onto the page: sent in parts, cut and resumed, paused and discarded."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.testing import a_descriptor
from tests.browser.pages import opened
from tests.browser.tus_stand_in import Uploads
from tests.integration.gateway_rig import Rig, running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

PART = 8 << 20


@dataclass
class Place:
    """A page at which uploads are on, and what they come to."""

    rig: Rig
    uploads: Uploads
    page: Page

    async def drop(self, *paths: Path, x: float = 400, y: float = 400) -> None:
        """As from the desktop: a browser makes entries only of real files."""
        session = await self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            said = {"type": kind, "x": x, "y": y, "data": data}
            await session.send("Input.dispatchDragEvent", said)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    def sent(self) -> dict[str, bytes]:
        return {f"{u.model}/{u.path}": u.body for u in self.uploads.files.values()}


@asynccontextmanager
async def a_place(browser: Browser) -> AsyncIterator[Place]:
    async with running_gateway() as rig:
        uploads = Uploads(behind=rig.gateway.app)
        rig.url = rig.serve(uploads)
        async with opened(browser, rig.url, None) as tab:
            await tab.page.route("**/session", _with_uploads)
            await tab.go("/models")
            await expect(tab.page.get_by_role("button", name="Upload a folder")).to_be_visible()
            yield Place(rig, uploads, tab.page)


async def _with_uploads(route: Route) -> None:
    answer = await route.fetch()
    await route.fulfill(json={**await answer.json(), "features": {"upload": True}})


def a_model(at: Path, name: str, **files: bytes) -> Path:
    folder = at / name
    for file, body in files.items():
        path = folder / file.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


async def test_a_folder_is_sent_whole_although_it_is_cut(browser: Browser, tmp_path: Path) -> None:
    weights = os.urandom(2 * PART + 1000)
    folder = a_model(tmp_path, "my model", config=b"{}", sub__weights=weights, **{".git": b"no"})
    async with a_place(browser) as place:
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
        await place.drop(folder)
        await expect(page.get_by_label("Upload as the model")).to_have_value("my-model")
        await expect(page.get_by_text("2 files, 16 MiB")).to_be_visible()
        await page.get_by_label("Upload as the model").fill("mine")
        await place.press("Upload")
        await expect(page.get_by_text("uploaded; it is being looked at")).to_be_visible()
        assert cuts
        assert place.sent() == {"mine/config": b"{}", "mine/sub/weights": weights}
        assert place.uploads.parts == [0, 0, PART, 2 * PART], "nothing was sent twice"
        assert place.uploads.finished == ["mine"]
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
    await place.page.unroute("**/admin/uploads/*")


async def test_an_upload_is_paused_and_gone_on_with_by_a_new_page(
    browser: Browser, tmp_path: Path
) -> None:
    weights = os.urandom(PART + 5)
    folder = a_model(tmp_path, "big", weights=weights)
    async with a_place(browser) as place:
        await place.drop(folder)
        await held_at_the_second_part(place)
        await place.page.reload()
        await expect(place.page.get_by_role("button", name="Upload a folder")).to_be_visible()
        await place.drop(folder)
        await place.press("Upload")
        await expect(place.page.get_by_text("uploaded; it is being looked at")).to_be_visible()
        assert place.uploads.parts == [0, PART]
        assert place.sent() == {"big/weights": weights}


async def test_what_is_refused_can_be_tried_again_and_what_is_discarded_is_gone(
    browser: Browser, tmp_path: Path
) -> None:
    async with a_place(browser) as place:
        place.uploads.refuses = "weights is larger than gateway.uploads.max_bytes allows."
        await place.drop(a_model(tmp_path, "refused", weights=b"x"))
        await place.press("Upload")
        await expect(place.page.get_by_role("alert")).to_have_text(place.uploads.refuses)
        place.uploads.refuses = ""
        await place.press("Try again")
        await place.rig.until(lambda: place.uploads.finished == ["refused"])
        await place.press("Close")

        await place.drop(a_model(tmp_path, "unwanted", weights=os.urandom(PART + 1)))
        await held_at_the_second_part(place)
        assert "unwanted/weights" in place.sent()
        await place.press("Discard")
        await place.rig.until(lambda: "unwanted/weights" not in place.sent())


async def test_an_image_dropped_where_one_is_asked_for_is_no_upload(
    browser: Browser, tmp_path: Path
) -> None:
    image = tmp_path / "cat.png"
    image.write_bytes(b"")
    async with a_place(browser) as place:
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
