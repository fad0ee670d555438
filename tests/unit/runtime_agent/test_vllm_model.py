"""What of vLLM's command line is a model's own: names, an adapter, arguments."""

from pathlib import Path
from typing import Any

import pytest

from modelium.common.descriptor import Overrides, PlannedSettings
from modelium.common.events import LoadModel
from modelium.common.records import DeviceKind
from modelium.common.settings import LauncherKind, Vllm
from modelium.common.testing import a_descriptor
from modelium.runtime_agent.container_spec import ContainerSettings, arguments
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.launcher import LaunchSpec, Site, record_of
from modelium.runtime_agent.runtimes.vllm import VllmRuntime
from tests.agent_kit import a_load

CPU = Traits("cpu-local-0", DeviceKind.CPU, 8 << 30, cores=2.0)
HERE = Site(LauncherKind.PROCESS, "/m/style", "/m/style", "127.0.0.1", 4321)
CONTAINER = Site(LauncherKind.DOCKER, "/m/style", "/models/qwen", "0.0.0.0", 8000)


def a_command(**about: Any) -> LoadModel:
    return a_load(Path("/m/style")).model_copy(update={"descriptor": a_descriptor(**about)})


async def a_spec(command: LoadModel, site: Site = HERE, **settings: Any) -> LaunchSpec:
    http = EngineHttp()
    runtime = VllmRuntime(Vllm.model_validate({"python": "/opt/python"} | settings), http)
    await http.close()
    return runtime.spec(command, record_of(command, CPU.kind), site, (CPU,))


def after(spec: LaunchSpec, option: str, count: int = 1) -> tuple[str, ...]:
    at = spec.argv.index(option) + 1
    return spec.argv[at : at + count]


async def test_an_engine_knows_all_names_of_its_model() -> None:
    spec = await a_spec(a_command(overrides=Overrides(aliases=("gpt", "small"))))
    assert after(spec, "--served-model-name", 4) == ("qwen", "gpt", "small", "--host")
    assert spec.beside == ""


async def test_a_model_s_own_arguments_come_last_so_that_they_count() -> None:
    own = Overrides(engine_args=("--max-num-seqs", "4"))
    spec = await a_spec(a_command(overrides=own), extra_args=("--max-num-seqs", "16"))
    assert spec.argv[-4:] == ("--max-num-seqs", "16", "--max-num-seqs", "4")


async def test_a_plan_comes_before_what_people_say_and_within_what_engines_are_given() -> None:
    planned = PlannedSettings(max_num_seqs=64, prefix_cache=False)
    command = a_command().model_copy(update={"planned": planned})
    spec = await a_spec(command, max_num_seqs=32, extra_args=("--seed", "1"))
    assert spec.argv[-5:] == (
        *("--max-num-seqs", "32", "--no-enable-prefix-caching"),
        *("--seed", "1"),
    )


@pytest.mark.parametrize(("rank", "room"), [(1, "1"), (12, "16"), (256, "256"), (400, "512")])
async def test_an_adapter_is_loaded_with_its_base(rank: int, room: str) -> None:
    adapter = a_command(format="lora", base_path="/m/base", adapter_rank=rank)
    spec = await a_spec(adapter)
    assert after(spec, "--model") == ("/m/base",)
    assert after(spec, "--served-model-name", 2) == ("qwen.base", "--enable-lora")
    assert after(spec, "--max-lora-rank") == (room,)
    assert after(spec, "--lora-modules", 2) == ("qwen=/m/style", "--host")


async def test_a_container_of_an_adapter_has_both_folders() -> None:
    adapter = a_command(
        format="lora", base_path="/m/base", adapter_rank=8, overrides=Overrides(aliases=("gpt",))
    )
    spec = await a_spec(adapter, CONTAINER)
    assert after(spec, "--model") == ("/models/qwen.base",)
    assert after(spec, "--lora-modules", 2) == ("qwen=/models/qwen", "gpt=/models/qwen")
    assert spec.beside == "/m/base"
    made = arguments(
        spec,
        ContainerSettings("local", "net", "2000:0", 10, Path("/logs")),
        "/host/style",
        "/host/b",
    )
    mounts = {mount["Target"]: (mount["Source"], mount["ReadOnly"]) for mount in made["mounts"]}
    assert mounts == {
        "/models/qwen": ("/host/style", True),
        "/models/qwen.base": ("/host/b", True),
    }
