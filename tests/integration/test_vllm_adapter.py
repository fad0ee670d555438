"""Real vLLM serves an adapter with its base, by all names, with a model's own arguments."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from modelium.cli.sample import write_sample_model
from modelium.common.descriptor import Descriptor, Overrides, RuntimeKind
from modelium.common.events import LoadModel, RuntimeFailed, RuntimeLoaded
from modelium.common.testing import a_model_record
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.watcher.fitting import fit
from tests.agent_kit import a_load, eventually
from tests.integration.agents import RunningAgent, a_clean_agent
from tests.unit.watcher.formats.files import described

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]
RANK = 4
NAMES = ("qwen", "poet", "qwen.base")


def write_adapter(folder: Path, base: str) -> None:
    """Changes the queries of every layer, by much."""
    folder.mkdir()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": RANK,
        "lora_alpha": 64,
        "target_modules": ["q_proj"],
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    size, layers = 64, 2  # of the sample model
    random = np.random.default_rng(0)
    weights = {
        f"base_model.model.model.layers.{n}.self_attn.q_proj.lora_{part}.weight": (
            random.standard_normal((RANK, size) if part == "A" else (size, RANK)).astype("float32")
        )
        for n in range(layers)
        for part in ("A", "B")
    }
    save_file(weights, folder / "adapter_model.safetensors")


def adapter_with_base(tmp_path: Path) -> Descriptor:
    write_sample_model(tmp_path / "tiny")
    write_adapter(tmp_path / "qwen", "org/tiny")
    base = a_model_record(
        model="tiny", path=str(tmp_path / "tiny"), descriptor=described(tmp_path / "tiny")
    )
    own = "alias: [poet]\nengine_args: {max-num-seqs: 2, seed: 7}\n"
    (tmp_path / "qwen" / "model.yaml").write_text(own)
    found = fit("qwen", described(tmp_path / "qwen"), [base], frozenset(RuntimeKind))
    assert found.refusal == ""
    assert isinstance(found.descriptor.overrides, Overrides)
    return found.descriptor


async def test_an_adapter_changes_what_its_base_says(tmp_path: Path) -> None:
    named = os.environ.get("MODELIUM_VLLM_PYTHON")
    if not named:
        pytest.skip("MODELIUM_VLLM_PYTHON names no interpreter with vLLM")
    about = adapter_with_base(tmp_path)
    async with a_clean_agent(tmp_path, python=Path(named)) as agent:
        load = a_load(tmp_path / "qwen")
        await agent.send(LoadModel.model_validate(load.model_dump() | {"descriptor": about}))
        loaded = await _loaded(agent)
        http = EngineHttp()
        said = {name: await _tokens(http, loaded.endpoint, name) for name in NAMES}
        await http.close()
    assert said["qwen"] == said["poet"] != said["qwen.base"]


async def _loaded(agent: RunningAgent) -> RuntimeLoaded:
    async def has_come_to_an_end() -> bool:
        return bool({RuntimeLoaded, RuntimeFailed} & set(agent.kinds))

    await eventually(has_come_to_an_end, "it is loaded, or failed", within_s=240)
    failures = [event.reason for event in agent.events if isinstance(event, RuntimeFailed)]
    assert failures == []
    return await agent.heard(RuntimeLoaded)


async def _tokens(http: EngineHttp, endpoint: str, name: str) -> list[int]:
    body: dict[str, Any] = {"model": name, "prompt": "one two three", "max_tokens": 12}
    body |= {"temperature": 0, "return_token_ids": True, "ignore_eos": True}
    answer = await http.ask("POST", f"{endpoint}/v1/completions", timeout_s=120, body=body)
    assert answer.status == 200, answer.body
    tokens: list[int] = json.loads(answer.body)["choices"][0]["token_ids"]
    return tokens
