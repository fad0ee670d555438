"""The proxy that one writes in an afternoon: FastAPI in front, aiohttp behind, nothing else.

It decodes the body to find `stream` and passes bytes through; no keys, no limits, no metrics.
"""

import argparse
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse


def make_app(engine: str) -> FastAPI:
    """A proxy for one engine."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(engine, connector=connector) as session:
            app.state.session = session
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        body = await request.body()
        answer = await app.state.session.post(
            request.url.path, data=body, headers={"content-type": "application/json"}
        )
        kind = answer.headers["content-type"]
        if json.loads(body).get("stream"):
            parts = answer.content.iter_any()
            return StreamingResponse(parts, answer.status, media_type=kind)
        return Response(await answer.read(), answer.status, media_type=kind)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", required=True)
    options = parser.parse_args()
    uvicorn.run(
        make_app(options.engine), host="127.0.0.1", port=options.port, access_log=False, workers=1
    )


if __name__ == "__main__":
    main()
