"""`/admin/uploads`: models as files, by tus 1.0 (https://tus.io): core, creation and termination.

Off unless `gateway.uploads.enabled`. Files grow where no watcher looks, and a model's folder
appears when it is finished. How the bytes lie on disk is `uploads/files.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, TypeVar

import structlog
from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from modelium.common.records import ModelName
from modelium.common.settings_gateway import UploadSettings
from modelium.gateway.access.assembly import Access
from modelium.gateway.access.http import access_of
from modelium.gateway.pages.bodies import Responses, errors
from modelium.gateway.uploads.files import InTheWay, Upload, UploadFiles
from modelium.gateway.uploads.names import file_path, metadata, model_name
from modelium.gateway.uploads.refusals import VERSION, refusal, told_errors

T = TypeVar("T")
PREFIX: Final = "/admin/uploads"
CONTENT: Final = "application/offset+octet-stream"
_EXTENSIONS: Final = "creation,termination"
_PIECE_BYTES: Final = 1 << 20
"""Written at once: small enough to hold, large enough for a disk."""

log = structlog.get_logger()
router = APIRouter(prefix=PREFIX, tags=["uploads"])


class UploadFinished(BaseModel):
    """A model's files are in their place; the watcher looks at them now."""

    model: str
    files: int
    size_bytes: int


class Uploads:
    """What the routes work with, where uploads are on."""

    def __init__(self, settings: UploadSettings, now_s: float) -> None:
        self.settings = settings
        self.files = UploadFiles(settings.directory)
        self.oldest_s = now_s - settings.keep_unfinished_seconds


async def _uploads(access: Annotated[Access, Depends(access_of)]) -> Uploads:
    settings = access.settings.gateway.uploads
    if not settings.enabled:
        raise refusal(404, "not_found", "Uploads are off: see gateway.uploads.enabled.")
    return Uploads(settings, access.clock.now().timestamp())


async def _same_version(
    tus_resumable: Annotated[str, Header(description="1.0.0")] = "",
) -> None:
    if tus_resumable != VERSION:
        text = f"Tus-Resumable: expected {VERSION}, not {tus_resumable[:50]!r}."
        raise refusal(412, "unsupported_version", text, (b"tus-version", VERSION.encode()))


On = Annotated[Uploads, Depends(_uploads)]
UploadId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="from `Location`")]
Offset = Annotated[int, Header(ge=0, description="where this part begins")]
_TUS: Final[list[Any]] = [Depends(_same_version)]


def _answers(status: int, description: str, *wrong: int) -> Responses:
    return {status: {"description": description}} | errors(404, *wrong)


@router.options("", status_code=204, responses=_answers(204, "What there is, in headers."))
async def describe(uploads: On) -> Response:
    """What of tus there is."""
    return _told(
        204,
        tus_version=VERSION,
        tus_extension=_EXTENSIONS,
        tus_max_size=str(uploads.settings.max_bytes),
    )


@router.post(
    "",
    status_code=201,
    dependencies=_TUS,
    responses=_answers(201, "`Location` is where the file goes.", 409, 412, 413, 507),
)
async def begin_upload(
    uploads: On,
    upload_length: Annotated[int, Header(ge=0, description="of the whole file, in bytes")],
    upload_metadata: Annotated[
        str, Header(description="`model` and `path`, each with its value in Base64")
    ] = "",
) -> Response:
    """Begin to upload one file of a model; what was begun of the same file is given up.

    409: there is such a model. Its folder has to be removed first.
    """
    if upload_length > uploads.settings.max_bytes:
        text = f"A file may have at most {uploads.settings.max_bytes} bytes."
        size = (b"tus-max-size", str(uploads.settings.max_bytes).encode())
        raise refusal(413, "request_too_large", text, size)
    with told_errors():
        told = metadata(upload_metadata)
        model, path = model_name(told), file_path(told)
        upload = await _blocking(_begun, uploads, model, path, upload_length)
    log.info("upload.begun", model=model, path=upload.path, size_bytes=upload_length)
    return _told(201, location=f"{PREFIX}/{upload.id}", upload_offset="0")


@router.head("/{upload_id}", dependencies=_TUS, responses=_answers(200, "In headers.", 412))
async def find_upload(upload_id: UploadId, uploads: On) -> Response:
    """How much of a file there is."""
    with told_errors():
        upload = await _blocking(uploads.files.find, upload_id)
    offset = await _blocking(uploads.files.offset, upload)
    return _told(
        200,
        upload_offset=str(offset),
        upload_length=str(upload.size_bytes),
        cache_control="no-store",
    )


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=_TUS,
    responses=_answers(204, "Written.", 409, 412, 413, 415, 423, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {CONTENT: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def append_to_upload(
    upload_id: UploadId,
    uploads: On,
    request: Request,
    upload_offset: Offset,
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Add bytes to a file, where it ends; what has come of a request that is cut off stays."""
    if content_type != CONTENT:
        text = f"Content-Type: expected {CONTENT}, not {content_type[:100]!r}."
        raise refusal(415, "unsupported_media_type", text)
    with told_errors():
        upload = await _blocking(uploads.files.find, upload_id)
        with uploads.files.writing(upload) as descriptor:
            end = await _blocking(uploads.files.offset, upload)
            if end != upload_offset:
                raise InTheWay(f"the file has {end} bytes, so Upload-Offset cannot be another")
            end = await _append(request, descriptor, end, upload.size_bytes)
    return _told(204, upload_offset=str(end))


@router.delete(
    "/{upload_id}",
    status_code=204,
    dependencies=_TUS,
    responses=_answers(204, "It is gone.", 412),
)
async def give_up_upload(upload_id: UploadId, uploads: On) -> Response:
    """Throw away what there is of a file."""
    with told_errors():
        await _blocking(uploads.files.find, upload_id)
    await _blocking(uploads.files.give_up, upload_id)
    return _told(204)


@router.post("/models/{model}/finish", responses=errors(404, 409, 507))
async def finish_upload(
    model: Annotated[ModelName, Path(description="as the uploads named it")], uploads: On
) -> UploadFinished:
    """Have the folder of a model appear, with all files that were uploaded for it.

    409: a file is not whole yet, or there is such a model.
    """
    with told_errors():
        files = await _blocking(uploads.files.finish, model)
    size_bytes = sum(upload.size_bytes for upload in files)
    log.info("upload.finished", model=model, files=len(files), size_bytes=size_bytes)
    return UploadFinished(model=model, files=len(files), size_bytes=size_bytes)


def _begun(uploads: Uploads, model: str, path: PurePosixPath, size_bytes: int) -> Upload:
    uploads.files.sweep(older_than=uploads.oldest_s)
    return uploads.files.begin(model, path, size_bytes)


async def _append(request: Request, descriptor: int, end: int, size_bytes: int) -> int:
    """Where the file ends then."""
    async for piece in _pieces(request):
        if end + len(piece) > size_bytes:
            text = f"The file has {size_bytes} bytes by its Upload-Length, and more have come."
            raise refusal(413, "request_too_large", text)
        await _blocking(UploadFiles.append, descriptor, piece)
        end += len(piece)
    return end


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces worth a write; the rest of one whose client has left, too."""
    held = bytearray()
    try:
        async for part in request.stream():
            held += part
            if len(held) >= _PIECE_BYTES:
                yield bytes(held)
                held.clear()
    except ClientDisconnect:
        pass
    if held:
        yield bytes(held)


async def _blocking(call: Callable[..., T], *args: Any) -> T:
    return await asyncio.to_thread(call, *args)


def _told(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status_code=status, headers={"tus-resumable": VERSION, **named})
