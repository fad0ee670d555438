"""What real vLLM engines of tiny models hold on a CPU, as the agent itself measures it.

    python -m benchmarks.memory --python <interpreter with vLLM> loads.json

Each load is the agent's own: its command line, its launcher, its test request, its measurement. The
file is what `tests/unit/core/test_memory_learning.py` learns from.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from modelium.cli.sample import write_sample_model
from modelium.common.clock import SystemClock
from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.events import LoadModel
from modelium.common.records import DeviceKind, instance_id
from modelium.common.settings import GIB, MIB, Vllm
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.launcher import record_of
from modelium.runtime_agent.processes import ProcessLauncher
from modelium.runtime_agent.runtimes.vllm import VllmRuntime
from modelium.runtime_agent.watch import Watch

SLOT: Final = "cpu-bench-0"
CONTEXT: Final = 512
KV_BYTES_PER_TOKEN_OF_LAYER: Final = 2 * 2 * 32 * 2
"""The sample's two heads of 32, keys and values, at two bytes."""
PROMPTS: Final = 12


@dataclass(frozen=True)
class Case:
    """One model and the cache it is given; loaded `times` times."""

    layers: int
    cache_bytes: int
    times: int = 1
    tokens: int = 64
    """Of each answer; a deep model is slow."""


CASES: Final = (
    Case(2, 256 * MIB, times=3),
    Case(100, 256 * MIB, times=2),
    Case(400, 256 * MIB, times=2, tokens=4),
    Case(2, 1024 * MIB),
)


def main() -> None:
    """Load every case, one engine at a time, and write what each held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="interpreter that has vLLM")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    loads = asyncio.run(_all(arguments.python))
    arguments.out.write_text(json.dumps(loads, indent=2) + "\n")


async def _all(python: Path) -> list[dict[str, Any]]:
    loads: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        generation = 0
        for case in CASES:
            model = write_sample_model(Path(folder) / f"layers-{case.layers}", layers=case.layers)
            for _ in range(case.times):
                generation += 1
                loads.append(await _load(case, model, generation, python, Path(folder)))
                print(json.dumps(loads[-1]), flush=True)
    return loads


async def _load(
    case: Case, model: Path, generation: int, python: Path, folder: Path
) -> dict[str, Any]:
    """What one engine holds once it is ready, and after it has served."""
    clock, http = SystemClock(), EngineHttp()
    runtime = VllmRuntime(Vllm(python=python), http)
    launcher = ProcessLauncher(folder / "agent", agent_id="bench", clock=clock)
    command = _command(case, model, generation)
    record = record_of(command, DeviceKind.CPU)
    traits = Traits(SLOT, DeviceKind.CPU, 8 * GIB, cores=2.0)
    site = launcher.site(record, command.path)
    engine = await launcher.start(runtime.spec(command, record, site, [traits]))
    try:
        watch = Watch(engine, runtime, clock)
        began_s = clock.monotonic()
        await watch.until_healthy()
        await watch.prove()
        ready_s = clock.monotonic() - began_s
        ready = (await engine.usage()).resident_bytes
        version = json.loads(
            (await http.ask("GET", f"{engine.endpoint}/version", timeout_s=5)).body
        )
        await asyncio.gather(
            *(_ask(http, engine.endpoint, model.name, n, case.tokens) for n in range(PROMPTS))
        )
        served = (await engine.usage()).resident_bytes
    finally:
        await engine.kill()
        await http.close()
    return {
        "engine": f"vllm-{version['version']}",
        "layers": case.layers,
        "weight_bytes": command.descriptor.weight_bytes,
        "kv_cache_bytes": case.cache_bytes,
        "resident_bytes": ready,
        "resident_after_serving_bytes": served,
        "load_s": round(ready_s, 1),
    }


async def _ask(http: EngineHttp, endpoint: str, model: str, number: int, tokens: int) -> None:
    """Some tokens, so that the cache and the buffers of a step are used."""
    body = {"model": model, "prompt": f"{number} " + "give me the time " * 60, "max_tokens": tokens}
    await http.ask("POST", f"{endpoint}/v1/completions", timeout_s=300, body=body)


def _command(case: Case, model: Path, generation: int) -> LoadModel:
    descriptor = Descriptor(
        format="huggingface",
        architecture="Qwen2ForCausalLM",
        task=Task.CHAT,
        runtime=RuntimeKind.VLLM,
        dtype="F32",
        weight_bytes=(model / "model.safetensors").stat().st_size,
        context_length=CONTEXT,
        kv_bytes_per_token=case.layers * KV_BYTES_PER_TOKEN_OF_LAYER,
    )
    return LoadModel(
        agent_id="bench",
        model=model.name,
        instance_id=instance_id(model.name, generation),
        generation=generation,
        device_ids=(SLOT,),
        path=str(model),
        fingerprint=model.name,
        descriptor=descriptor,
        reserve_bytes=4 * GIB,
        kv_cache_bytes=case.cache_bytes,
        context_length=CONTEXT,
    )


if __name__ == "__main__":
    main()
