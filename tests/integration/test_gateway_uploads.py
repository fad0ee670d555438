"""Models uploaded by tus, to a gateway on a real port and into a real folder."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from modelium.common.api_keys import Scope
from modelium.gateway.uploads.files import UploadFiles
from tests.integration.gateway_rig import Rig, running_gateway

TUS = {"tus-resumable": "1.0.0"}
MOST = 3 << 20
BASE = "/admin/uploads"
PART = {**TUS, "content-type": "application/offset+octet-stream"}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running_gateway(uploads=uploads_in(tmp_path)) as rig:
        yield rig


def uploads_in(folder: Path) -> dict[str, Any]:
    return {"enabled": True, "directory": folder, "max_bytes": MOST}


def about(model: str, path: str) -> str:
    fields = {"model": model, "path": path, "filetype": ""}
    return ",".join(f"{k} {b64encode(v.encode()).decode()}".strip() for k, v in fields.items())


async def ask(rig: Rig, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
    async with rig.http.request(method, rig.url + path, **options) as answer:
        text = await answer.text()
        return answer.status, answer.headers, json.loads(text) if text else None


async def begin(
    rig: Rig, size: int, *, path: str = "a/config.json", model: str = "m"
) -> tuple[int, str, Any]:
    """Status, where the file goes, and the error."""
    headers = {**TUS, "upload-length": str(size), "upload-metadata": about(model, path)}
    status, told, body = await ask(rig, "POST", BASE, headers=headers)
    return status, told.get("location", ""), body


async def send(rig: Rig, where: str, offset: int, content: bytes) -> tuple[int, Any]:
    headers = {**PART, "upload-offset": str(offset)}
    status, told, body = await ask(rig, "PATCH", where, headers=headers, data=content)
    return status, told.get("upload-offset") or body["error"]["message"]


async def finish(rig: Rig, model: str = "m") -> tuple[int, Any]:
    status, _, body = await ask(rig, "POST", f"{BASE}/models/{model}/finish")
    return status, body


def seen(folder: Path) -> list[str]:
    """What a watcher looks at."""
    return [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]


def parts(folder: Path) -> list[Path]:
    """Files that grow, or are left over."""
    return list(folder.rglob("*.part"))


async def test_a_models_files_grow_unseen_and_appear_together(rig: Rig, tmp_path: Path) -> None:
    weights = bytes(range(256)) * 10_000
    _, first, _ = await begin(rig, 2)
    _, second, _ = await begin(rig, len(weights), path="model.safetensors")
    _, empty, _ = await begin(rig, 0, path="empty")
    assert await send(rig, first, 0, b"{}") == (204, "2")
    assert await send(rig, second, 0, weights[:2_000_000]) == (204, "2000000")
    assert seen(tmp_path) == []
    status, body = await finish(rig)
    assert (status, body["error"]["message"]) == (
        409,
        "The file model.safetensors is not whole yet.",
    )
    status, told, _ = await ask(rig, "HEAD", second, headers=TUS)
    assert (status, told["upload-offset"]) == (200, "2000000")
    assert (told["upload-length"], told["cache-control"]) == (str(len(weights)), "no-store")
    await send(rig, second, 2_000_000, weights[2_000_000:])
    status, body = await finish(rig)
    assert (status, body) == (200, {"model": "m", "files": 3, "size_bytes": len(weights) + 2})
    assert seen(tmp_path) == ["m"]
    assert (tmp_path / "m" / "a" / "config.json").read_bytes() == b"{}"
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == weights
    assert (tmp_path / "m" / "empty").read_bytes() == b""
    assert (await ask(rig, "HEAD", empty, headers=TUS))[0] == 404


async def test_what_has_arrived_of_a_part_that_was_cut_off_is_not_sent_again(rig: Rig) -> None:
    _, where, _ = await begin(rig, MOST)
    host, port = rig.url.removeprefix("http://").split(":")
    _reader, writer = await asyncio.open_connection(host, int(port))
    head = {**PART, "upload-offset": "0", "content-length": str(MOST), "host": host}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"PATCH {where} HTTP/1.1\r\n{lines}\r\n".encode() + b"x" * (MOST - 5))

    async def until(bytes_: int) -> None:
        while int((await ask(rig, "HEAD", where, headers=TUS))[1]["upload-offset"]) < bytes_:
            await rig.around.clock.sleep(0.01)

    await until(1)
    assert (await send(rig, where, 0, b""))[0] == 423
    writer.close()
    await until(MOST - 5)
    while (answer := await send(rig, where, MOST - 5, b"12345"))[0] == 423:
        await rig.around.clock.sleep(0.01)  # the writer before has not let go yet
    assert answer == (204, str(MOST))


async def test_a_part_that_does_not_fit_the_file_is_refused(rig: Rig) -> None:
    _, where, _ = await begin(rig, 4)
    assert (await send(rig, where, 1, b"x"))[0] == 409
    assert (await send(rig, where, 0, b"12345"))[0] == 413
    assert await send(rig, where, 0, b"1234") == (204, "4")
    files = UploadFiles(Path(rig.access.settings.gateway.uploads.directory))
    with files.writing(files.find(where.rpartition("/")[2])):
        assert (await send(rig, where, 4, b""))[0] == 423
    headers = {**PART, "upload-offset": "4", "content-type": "text/plain"}
    assert (await ask(rig, "PATCH", where, headers=headers, data=b""))[0] == 415
    headers = {**PART, "upload-offset": "4", "tus-resumable": "0.2"}
    status, told, _ = await ask(rig, "PATCH", where, headers=headers, data=b"")
    assert (status, told["tus-version"], told["tus-resumable"]) == (412, "1.0.0", "1.0.0")


@pytest.mark.parametrize(
    ("model", "path", "says"),
    [
        ("../m", "a", "`model`"),
        ("m.part", "a", "`model`"),
        ("m", "", "empty"),
        ("m", "/etc/passwd", "empty"),
        ("m", "a/../../b", "begins with a dot"),
        ("m", ".git/config", "begins with a dot"),
        ("m", "a\\b", "one of"),
        ("m", "a\nb", "control characters"),
        ("m", "x/" * 9 + "a", "folders"),
        ("m", "x" * 201, "200 bytes"),
        ("m", "weights.part", "unfinished"),
    ],
)
async def test_a_name_that_leads_elsewhere_or_is_odd_is_refused(
    rig: Rig, tmp_path: Path, model: str, path: str, says: str
) -> None:
    status, _, body = await begin(rig, 1, model=model, path=path)
    assert (status, says in body["error"]["message"]) == (400, True), body
    assert parts(tmp_path) == []


async def test_metadata_that_is_none_is_refused_by_name(rig: Rig) -> None:
    headers = {**TUS, "upload-length": "1", "upload-metadata": "model ?"}
    status, _, body = await ask(rig, "POST", BASE, headers=headers)
    assert (status, "Base64" in body["error"]["message"]) == (400, True)


async def test_files_that_are_too_large_or_for_which_there_is_no_room_are_refused(
    rig: Rig,
) -> None:
    status, told, _ = await ask(rig, "OPTIONS", BASE)
    assert (status, told["tus-max-size"]) == (204, str(MOST))
    assert told["tus-extension"] == "creation,termination"
    assert (await begin(rig, MOST + 1))[0] == 413


async def test_of_one_file_that_is_begun_twice_the_second_counts(rig: Rig, tmp_path: Path) -> None:
    _, first, _ = await begin(rig, 4)
    _, second, _ = await begin(rig, 2)
    assert (await ask(rig, "HEAD", first, headers=TUS))[0] == 404
    await send(rig, second, 0, b"ok")
    assert (await ask(rig, "DELETE", second, headers=TUS))[0] == 204
    assert (await finish(rig))[0] == 404
    assert parts(tmp_path) == []


async def test_a_model_that_is_there_is_never_written_over(rig: Rig, tmp_path: Path) -> None:
    _, where, _ = await begin(rig, 1)
    await send(rig, where, 0, b"x")
    (tmp_path / "m").mkdir()
    status, body = await finish(rig)
    assert (status, body["error"]["code"]) == (409, "upload_conflict")
    assert (await begin(rig, 1, path="b"))[0] == 409
    assert list((tmp_path / "m").iterdir()) == []
    (tmp_path / "m").rmdir()
    assert (await finish(rig))[0] == 200


async def test_a_file_cannot_be_the_folder_of_another(rig: Rig, tmp_path: Path) -> None:
    for path in ("a", "a/b"):
        assert (await begin(rig, 0, path=path))[0] == 201
    status, body = await finish(rig)
    assert (status, "also the folder of a/b" in body["error"]["message"]) == (409, True)
    assert seen(tmp_path) == []


async def test_an_upload_that_nobody_goes_on_with_is_thrown_away(tmp_path: Path) -> None:
    settings = uploads_in(tmp_path) | {"keep_unfinished_seconds": 1e-9}
    async with running_gateway(uploads=settings) as rig:
        _, forgotten, _ = await begin(rig, 4)
        _, where, _ = await begin(rig, 1, path="b")
        assert (await ask(rig, "HEAD", forgotten, headers=TUS))[0] == 404
        assert (await ask(rig, "HEAD", where, headers=TUS))[0] == 200


async def test_only_operators_upload_and_only_where_it_is_allowed(tmp_path: Path) -> None:
    async with running_gateway() as rig:
        status, _, body = await begin(rig, 1)
        assert (status, "gateway.uploads.enabled" in body["error"]["message"]) == (404, True)
        _, _, session = await ask(rig, "GET", "/session")
        assert session["features"] == {"upload": False}
    async with running_gateway(uploads=uploads_in(tmp_path), authentication="keys") as rig:
        headers = {**TUS, "upload-length": "1", "upload-metadata": about("m", "a")}
        for key, expected in (({}, 401), (await rig.key(), 403)):
            assert (await ask(rig, "POST", BASE, headers=headers | key))[0] == expected
        admin = await rig.key(scopes=(Scope.ADMIN, Scope.READ))
        assert (await ask(rig, "POST", BASE, headers=headers | admin))[0] == 201
        _, _, session = await ask(rig, "GET", "/session", headers=admin)
        assert session["features"] == {"upload": True}
