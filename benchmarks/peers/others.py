"""The proxies of others, each as one process with one worker; scripts/bench-peers installs them."""

import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.load.request import MODEL
from benchmarks.peers.target import Missing, Place, Target
from benchmarks.processes import child, family
from tests.system import ROOT, free_port

PEERS = ROOT / ".modelium" / "peers"
SLOW_START_S = 90.0

NGINX = """
worker_processes 1;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16384; multi_accept on; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream engine {{
        server 127.0.0.1:{engine};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{
            proxy_pass http://engine;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""
LITELLM_KEY = "sk-bench-0123456789"
LITELLM = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: {engine}/v1
      api_key: none
general_settings:
  master_key: {key}
"""


@contextmanager
def nginx(place: Place) -> Iterator[Target]:
    """One worker, connections to the engine kept, nothing buffered."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise Missing("nginx is not installed")
    port = free_port()
    config = place.folder / "nginx.conf"
    config.write_text(NGINX.format(folder=place.folder, port=port, engine=place.engine_port))
    with _listening([program, "-c", str(config)], place, "nginx", port) as process:
        yield Target(port, (process,), note="1 worker, keep-alive, proxy_buffering off")


@contextmanager
def sglang_router(place: Place) -> Iterator[Target]:
    """SGLang's model gateway, in Rust."""
    with _router("sglang-router", "sglang_router.launch_router", place) as target:
        yield target


@contextmanager
def vllm_router(place: Place) -> Iterator[Target]:
    """vLLM's router, in Rust."""
    with _router("vllm-router", "vllm_router.launch_router", place) as target:
        yield target


@contextmanager
def _router(name: str, module: str, place: Place) -> Iterator[Target]:
    port, metrics = free_port(), free_port()
    command = [
        *(_python(name), "-m", module, "--host", "127.0.0.1", "--port", str(port)),
        *("--worker-urls", place.engine_url, "--policy", "round_robin"),
        *("--prometheus-port", str(metrics), "--log-level", "error"),
    ]
    environment = {"TOKIO_WORKER_THREADS": "1"}
    with _listening(command, place, name, port, env=environment) as process:
        yield Target(port, (process,), note=f"{_version(name)}, round_robin, 1 tokio worker")


@contextmanager
def litellm(place: Place) -> Iterator[Target]:
    """LiteLLM's proxy with a master key and without a database."""
    port = free_port()
    config = place.folder / "litellm.yaml"
    config.write_text(LITELLM.format(model=MODEL, engine=place.engine_url, key=LITELLM_KEY))
    program = str(Path(_python("litellm")).parent / "litellm")
    command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    command += ["--num_workers", "1", "--telemetry", "False"]
    with _listening(command, place, "litellm", port, env=environment) as process:
        headers = {"authorization": f"Bearer {LITELLM_KEY}"}
        note = f"{_version('litellm')}, master key, no database, 1 worker"
        yield Target(port, (process,), headers=headers, note=note)


@contextmanager
def fastapi_proxy(place: Place) -> Iterator[Target]:
    """`fastapi_proxy.py`."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "benchmarks.peers.fastapi_proxy"),
        *("--port", str(port), "--engine", place.engine_url),
    ]
    with _listening(command, place, "fastapi", port) as process:
        yield Target(port, (process,), note="FastAPI, aiohttp, uvloop, httptools; 1 worker")


def _python(peer: str) -> str:
    python = PEERS / peer / "bin" / "python"
    if python.exists() and (PEERS / peer / ".complete").exists():
        return str(python)
    reason = PEERS / f"{peer}.missing"
    if reason.exists():
        raise Missing(reason.read_text().strip())
    raise Missing("not installed; run scripts/bench-peers")


def _version(peer: str) -> str:
    [found] = (PEERS / peer).glob(f"lib/*/site-packages/{peer.replace('-', '_')}-*.dist-info")
    return found.name.removesuffix(".dist-info").replace("_", "-")


@contextmanager
def _listening(
    command: Sequence[str],
    place: Place,
    name: str,
    port: int,
    *,
    env: Mapping[str, str] | None = None,
) -> Iterator[psutil.Process]:
    log = place.folder / f"{name}.log"
    with child(command, cpu=place.cpus.proxy, log=log, env=env) as process:
        _wait(process, port, log)
        yield process


def _wait(process: psutil.Process, port: int, log: Path) -> None:
    """Until it listens; Missing, with the end of its log, if it never does."""
    deadline_s = time.monotonic() + SLOW_START_S
    while time.monotonic() < deadline_s:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            break
        if _listens(process, port):
            return
        time.sleep(0.1)
    tail = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise Missing(f"did not start: {' '.join(tail)}")


def _listens(process: psutil.Process, port: int) -> bool:
    open_ones = (c for one in family(process) for c in one.net_connections("tcp"))
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in open_ones)
