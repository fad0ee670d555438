"""A stand-in for a vLLM server: same routes, same log lines, same bad habits, no model.

Run it as `python tests/stubs/engine.py --model PATH --port N` in the place of
`python -m vllm.entrypoints.openai.api_server`; arguments of vLLM that it does not know are ignored.

The habits, as measured on the real server: the port refuses connections until the model is loaded;
SIGTERM while loading is swallowed; SIGTERM while serving answers new requests with 500 and ends the
running ones with `finish_reason: abort` after `--shutdown-timeout`; the exit code is 0 even when it
crashed; how it sleeps is in `engine_sleep.py`. SIGUSR1 lets it hang from then on.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

# A program finds only what lies beside it.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.stubs.engine_app import Behaviour, StubEngine
from tests.stubs.engine_sleep import SleepMode, Trap


class _Server(uvicorn.Server):
    """Leaves the signals to `_Process`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class _Process:
    """The engine as a program: start-up, signals, exit code."""

    arguments: argparse.Namespace
    engine: StubEngine
    server: _Server
    serving: bool = False
    signals: int = 0
    ending: asyncio.Task[None] | None = None
    weights: bytes = b""

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGUSR1, self._hang)
        await self._load()
        self.serving = True
        await self.server.serve()

    async def _load(self) -> None:
        delay_s, shown = self.arguments.startup_delay, 0
        print("Starting to load model", self.arguments.model, flush=True)
        while delay_s > 0:
            step_s = min(0.1, delay_s)
            await asyncio.sleep(step_s)
            delay_s -= step_s
            shown += 1
            if not self.arguments.stall:
                print(f"Loading safetensors checkpoint shards: {shown}", flush=True)
        if self.arguments.fail_start:
            print(f"ERROR {self.arguments.fail_start}", file=sys.stderr, flush=True)
            sys.exit(1)
        self.weights = b"w" * (self.arguments.resident_mib << 20)
        self.engine.sleep_mode.hold()
        print("Application startup complete.", flush=True)

    def _hang(self) -> None:
        self.engine.behaviour.hanging = True

    def _on_signal(self) -> None:
        self.signals += 1
        if self.arguments.ignore_sigterm:
            return
        if not self.serving and self.signals > 1:
            os._exit(130)
        if self.serving and self.ending is None:
            self.ending = asyncio.ensure_future(self._end())

    async def _end(self) -> None:
        how = self.engine.behaviour
        how.draining = True
        for _ in range(int(self.arguments.shutdown_timeout / 0.05)):
            if not self.engine.running:
                break
            await asyncio.sleep(0.05)
        how.aborting = True
        self.server.should_exit = True


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="/models/stub", help="path, as vLLM takes it")
    parser.add_argument("--served-model-name", nargs="+", help="default: the path's last part")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--resident-mib", type=int, default=0, help="memory it really takes")
    parser.add_argument("--startup-delay", type=float, default=0.0, help="seconds")
    parser.add_argument("--stall", action="store_true", help="no log lines while loading")
    parser.add_argument("--fail-start", metavar="TEXT", help="log this error, exit 1")
    parser.add_argument("--fail-health", action="store_true", help="/health answers 503")
    parser.add_argument("--fail-requests", action="store_true", help="generation answers 500")
    parser.add_argument("--chunk-delay", type=float, default=0.0, help="seconds per token")
    parser.add_argument("--first-byte-delay", type=float, default=0.0, help="seconds")
    parser.add_argument("--die-after-chunks", type=int, help="exit 0 after so many tokens")
    parser.add_argument(
        "--hang-after-tokens", type=int, help="of all requests; its health check stays 200"
    )
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--shutdown-timeout", type=float, default=0.0, help="seconds")
    parser.add_argument("--gpu", type=Path, help="folder that says who holds what of a GPU")
    parser.add_argument("--gpu-mib", type=int, default=0, help="what this engine holds of it")
    parser.add_argument("--sleep-trap", type=Trap, choices=list(Trap))
    parser.add_argument("--child", action="store_true", help="start a child that outlives us")
    return parser.parse_known_args(argv)[0]


def main(argv: list[str]) -> None:
    """Run until SIGTERM (or until told to crash)."""
    arguments = _parse(argv)
    name = (arguments.served_model_name or [arguments.model.rstrip("/").rsplit("/", 1)[-1]])[0]
    behaviour = Behaviour(
        model=name,
        root=arguments.model,
        chunk_delay_s=arguments.chunk_delay,
        first_byte_delay_s=arguments.first_byte_delay,
        fail_health=arguments.fail_health,
        fail_requests=arguments.fail_requests,
        die_after_chunks=arguments.die_after_chunks,
        hang_after_tokens=arguments.hang_after_tokens,
    )
    if arguments.child:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    sleep_mode = SleepMode(
        enabled=os.environ.get("VLLM_SERVER_DEV_MODE") == "1",
        gpu=arguments.gpu,
        gpu_bytes=arguments.gpu_mib << 20,
        trap=arguments.sleep_trap,
    )
    engine = StubEngine(behaviour, sleep_mode)
    config = uvicorn.Config(
        engine,
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    process = _Process(arguments, engine, _Server(config))
    asyncio.run(process.run())


if __name__ == "__main__":
    main(sys.argv[1:])
