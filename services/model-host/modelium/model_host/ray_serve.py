"""The host as a deployment of Ray Serve, in a Ray of its own.

This process starts Ray and waits; the model is in a replica, which Ray starts again if it dies.
"""

import asyncio
import logging
import re
import signal
import sys
import threading
from typing import Any, Final

import ray
from ray import serve

from modelium.model_host.clock import monotonic
from modelium.model_host.http.app import build
from modelium.model_host.models.loading import load
from modelium.model_host.options import Options
from modelium.model_host.serving import Serving

log = logging.getLogger(__name__)

_APPLICATION: Final = "model"
_STORE_BYTES: Final = 75 << 20
"""Of Ray's object store: the least it takes, for nothing here is put into it."""
_LOOK_S: Final = 0.2
_BESIDE: Final = 64
"""Requests that a replica takes beyond its queue, so that health is answered and 503 is ours."""
_REASON: Final = re.compile(r"CannotLoad: (.+)")


@serve.ingress()
class Replica:
    """Holds the model, and answers for it."""

    # Ray waits for it.
    async def __init__(self, options: Options) -> None:  # type: ignore[misc]
        form = "%(asctime)s %(levelname)s %(name)s %(message)s"
        logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
        self._serving = Serving(options, load)
        await asyncio.to_thread(self._serving.load)

    def __serve_build_asgi_app__(self) -> Any:
        """Asked for by Ray once the model is loaded."""
        return build(self._serving)


def run(options: Options, folder: str) -> str:
    """Serve until SIGTERM, and let requests under way end; empty, or why that failed."""
    ray.init(
        address="local",
        num_cpus=options.threads,
        num_gpus=1 if options.device == "cuda" else 0,
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        _temp_dir=folder,
    )
    # Not before: Ray has a way of its own to end at a signal.
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        return _serve(options, stopping)
    finally:
        serve.shutdown()
        ray.shutdown()


def _serve(options: Options, stopping: threading.Event) -> str:
    serve.start(
        proxy_location="HeadOnly", http_options={"host": options.host, "port": options.port}
    )
    target = serve.RunTarget(_deployment(options), name=_APPLICATION, route_prefix="/")
    serve.run_many([target], wait_for_applications_running=False)
    failure = _until_running(stopping)
    if failure:
        return f"cannot serve {options.name!r}: {failure}"
    if not stopping.is_set():
        log.info("the replica runs")
    stopping.wait()
    begin = monotonic()
    serve.delete(_APPLICATION)
    if monotonic() - begin > options.drain_seconds:
        return f"requests were cut off after {options.drain_seconds:g} s"
    return ""


def _deployment(options: Options) -> Any:
    deployment = serve.deployment(
        Replica,
        name=_APPLICATION,
        num_replicas=1,
        max_ongoing_requests=options.max_queue + options.max_batch + _BESIDE,
        max_queued_requests=options.max_queue,
        max_constructor_retry_count=1,
        graceful_shutdown_timeout_s=options.drain_seconds,
        graceful_shutdown_wait_loop_s=0.1,
        health_check_period_s=2,
        ray_actor_options={
            "num_cpus": options.threads,
            "num_gpus": 1 if options.device == "cuda" else 0,
        },
    )
    return deployment.bind(options)


def _until_running(stopping: threading.Event) -> str:
    """Empty once the replica runs, or it shall not any more; else why it cannot."""
    while not stopping.wait(_LOOK_S):
        application = serve.status().applications[_APPLICATION]
        if application.status == "RUNNING":
            return ""
        if application.status in ("DEPLOY_FAILED", "UNHEALTHY"):
            messages = [d.message for d in application.deployments.values()]
            return _reason("\n".join([application.message, *messages]))
    return ""


def _reason(message: str) -> str:
    """The replica's own words, which are somewhere in Ray's."""
    found = _REASON.findall(message)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return found[-1] if found else (lines[-1] if lines else "Ray does not say why")
