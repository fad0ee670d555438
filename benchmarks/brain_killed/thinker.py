"""The brain's language model: a real vLLM engine beside the system that it advises.

Not one that Modelium serves itself: that would be loaded again at once, and loading it takes both
CPUs of a small machine for half a minute, which is not what is to be measured.
"""

import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from benchmarks.processes import family
from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from modelium.runtime_agent.runtimes.vllm import ENVIRONMENT, MODULE
from tests.system import System, wait_until

NAME: Final = "thinker"
ADVISOR: Final = f"openai:{NAME}"
_CACHE_BYTES: Final = 64 * MIB
_LOAD_S: Final = 300.0
_GONE_S: Final = 30.0
# A model with random weights may write spaces for ever where the form of its answer allows any.
_NO_SPACES: Final = (
    "--structured-outputs-config",
    '{"backend": "xgrammar", "disable_any_whitespace": true}',
)


class Thinker:
    """One engine at a time, which can be stopped, continued and killed."""

    def __init__(self, system: System, python: Path, port: int) -> None:
        self._system = system
        self._python = python
        self._port = port

    def start(self) -> None:
        """A fresh engine, until it answers."""
        model = write_sample_model(self._system.folder / NAME, seed=1)
        command = [
            *(str(self._python), "-m", MODULE, "--model", str(model), "--served-model-name", NAME),
            *("--host", "127.0.0.1", "--port", str(self._port), "--dtype", "float32"),
            *("--max-num-seqs", "4", "--kv-cache-memory-bytes", str(_CACHE_BYTES)),
            *("--enforce-eager", "--disable-uvicorn-access-log", *_NO_SPACES),
        ]
        bound = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
        self._system.spawn(NAME, command, **ENVIRONMENT, **bound)
        wait_until(f"{NAME} is ready", self._is_healthy, _LOAD_S)

    def _is_healthy(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=2).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def hang(self) -> None:
        """All its processes stop: connections are taken and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """They go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL for all its processes: its server alone would leave the others behind."""
        killed = list(self._processes())
        if not killed:
            return
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._system.children[NAME].wait(_GONE_S)
        _, left = psutil.wait_procs(killed, timeout=_GONE_S)
        if left:
            raise RuntimeError(f"{NAME} cannot be killed: {left}")

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _processes(self) -> Iterator[psutil.Process]:
        child = self._system.children.get(NAME)
        if child is not None and child.poll() is None:
            yield from family(psutil.Process(child.pid))
