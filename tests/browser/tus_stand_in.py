"""The gateway's uploads as the page sees them, in memory: tus 1.0 with creation and termination."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

PATH = "/admin/uploads"
_TUS = {"tus-resumable": "1.0.0"}


@dataclass
class Upload:
    """One file that grows."""

    model: str
    path: str
    length: int
    body: bytes = b""


@dataclass
class Uploads:
    """An ASGI application that hands all else on."""

    behind: Any
    refuses: str = ""
    """Why no upload may begin."""
    files: dict[str, Upload] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    """The offset of each part that came."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self.behind(scope, receive, send)
            return
        request = Request(scope, receive)
        response = await self._answer(request, scope["path"].removeprefix(PATH).strip("/"))
        await response(scope, receive, send)

    async def _answer(self, request: Request, name: str) -> Response:
        if name.startswith("models/"):
            self.finished.append(name.split("/")[1])
            return Response(status_code=202)
        if request.method == "POST":
            return self._begin(request.headers)
        answers: dict[str, Callable[[Request, str], Any]] = {
            "HEAD": self._head,
            "PATCH": self._grow,
            "DELETE": self._end,
        }
        if name not in self.files:
            return Response(status_code=404, headers=_TUS)
        answer: Response = await answers[request.method](request, name)
        return answer

    def _begin(self, headers: Any) -> Response:
        if self.refuses:
            error = {"message": self.refuses, "code": "request_too_large"}
            return JSONResponse({"error": error}, 413, _TUS)
        pairs = dict(pair.split(" ") for pair in headers["upload-metadata"].split(","))
        said = {name: base64.b64decode(value).decode() for name, value in pairs.items()}
        name = str(len(self.files))
        length = int(headers["upload-length"])
        self.files[name] = Upload(model=said["model"], path=said["path"], length=length)
        return Response(status_code=201, headers={**_TUS, "location": f"{PATH}/{name}"})

    async def _head(self, _: Request, name: str) -> Response:
        upload = self.files[name]
        sizes = {"upload-offset": str(len(upload.body)), "upload-length": str(upload.length)}
        return Response(headers={**_TUS, **sizes, "cache-control": "no-store"})

    async def _grow(self, request: Request, name: str) -> Response:
        upload, offset = self.files[name], int(request.headers["upload-offset"])
        if offset != len(upload.body):
            return Response(status_code=409, headers=_TUS)
        self.parts.append(offset)
        upload.body += await request.body()
        return Response(status_code=204, headers={**_TUS, "upload-offset": str(len(upload.body))})

    async def _end(self, _: Request, name: str) -> Response:
        del self.files[name]
        return Response(status_code=204, headers=_TUS)
