"""The page at /ui: files that `scripts/build-ui` has made of `ui/`, read once, sent as they are.

Without a key, because the files say nothing: the page asks for a key and sends it with every
request for data. Paths that are no file are the page's own, which it reads itself.
"""

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response

from modelium.gateway.edge import errors_http as errors

BUILT: Final = Path(__file__).parent / "ui"
_INDEX: Final = "index.html"
_ASSETS: Final = "assets/"
"""Their names change with what is in them."""
_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
_NOT_BUILT: Final = (
    "The page at /ui was not built: run scripts/build-ui, and start the gateway again."
)
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_ALWAYS: Final[Mapping[str, str]] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "vary": "accept-encoding",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class File:
    """One file, in the encodings there are; "" is the plain one."""

    kind: str
    bodies: Mapping[str, bytes]
    tags: Mapping[str, str]
    cache: str

    def encoding(self, accepted: str) -> str:
        """The smallest that the client takes."""
        taken = {offer.partition(";")[0].strip() for offer in accepted.lower().split(",")}
        return next((name for name in _ENCODINGS if name in taken and name in self.bodies), "")


Site = Mapping[str, File]


def read_site(folder: Path = BUILT) -> Site:
    """Every file by its path below /ui/; nothing if the page was not built."""
    return dict(_files(folder))


def _files(folder: Path) -> Iterator[tuple[str, File]]:
    compressed = tuple(_ENCODINGS.values())
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith(".") or path.suffix in compressed:
            continue
        name = path.relative_to(folder).as_posix()
        beside = {e: path.with_name(path.name + suffix) for e, suffix in _ENCODINGS.items()}
        bodies = {"": path.read_bytes()}
        bodies |= {e: other.read_bytes() for e, other in beside.items() if other.is_file()}
        cache = "public, max-age=31536000, immutable" if name.startswith(_ASSETS) else "no-cache"
        tags = {e: f'"{hashlib.sha256(body).hexdigest()[:32]}"' for e, body in bodies.items()}
        yield name, File(_kind(name), bodies, tags, cache)


def _kind(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def give_site(app: FastAPI, site: Site) -> None:
    """Let the routes of `app` serve these files."""
    app.state.site = site


@router.api_route("/ui", methods=["GET", "HEAD"])
@router.api_route("/ui/{path:path}", methods=["GET", "HEAD"])
async def page(request: Request, path: str = "") -> Response:
    """A file, or the page itself."""
    site: Site = request.app.state.site
    found = site.get(path)
    if found is None and not path.startswith(_ASSETS):
        found = site.get(_INDEX)
    if found is None:
        raise errors.not_found(f"There is no file /ui/{path[:128]}." if site else _NOT_BUILT)
    return _answer(request, found)


def _answer(request: Request, file: File) -> Response:
    encoding = file.encoding(request.headers.get("accept-encoding", ""))
    tag = file.tags[encoding]
    headers = {**_ALWAYS, "cache-control": file.cache, "etag": tag}
    if encoding:
        headers["content-encoding"] = encoding
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.bodies[encoding], media_type=file.kind, headers=headers)
