"""Adapters find their base among the models there are, aliases are nobody else's."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelium.common import events as ev
from modelium.common.descriptor import Descriptor, Overrides, RuntimeKind, Task
from modelium.common.records import ModelRecord, ModelState
from modelium.common.testing import a_descriptor, a_model_record
from modelium.watcher.adapters import is_missed
from modelium.watcher.fitting import Fit, fit

from . import models
from .system import System

ADAPTER = Descriptor(
    format="lora",
    architecture="",
    task=Task.COMPLETION,
    runtime=RuntimeKind.VLLM,
    weight_bytes=1000,
    weight_bytes_by_dtype={"F32": 1000},
    base_model="Qwen/Qwen2.5-0.5B",
    adapter_rank=8,
    content_fingerprint="a",
)
BASE = a_descriptor(weight_bytes_by_dtype={"BF16": 5}, content_fingerprint="b")


def a_base(**changes: Any) -> ModelRecord:
    known = {"model": "qwen", "path": "/models/qwen2.5-0.5b", "descriptor": BASE}
    return a_model_record(**(known | changes))


def fitted(descriptor: Descriptor, *records: ModelRecord) -> Fit:
    return fit("style", descriptor, records, frozenset(RuntimeKind))


@pytest.mark.parametrize(
    "base",
    [
        a_base(),
        a_base(model="Qwen2.5-0.5B", path="/elsewhere/x"),
        a_base(path="Qwen/Qwen2.5-0.5B"),
    ],
)
def test_an_adapter_is_served_as_its_base_and_a_little_more(base: ModelRecord) -> None:
    found = fitted(ADAPTER, a_base(model="other", path="/models/other"), base)
    about = found.descriptor
    assert found.refusal == ""
    assert (about.format, about.task, about.runtime) == ("lora", BASE.task, RuntimeKind.VLLM)
    assert about.base_path == base.path
    assert about.context_length == BASE.context_length
    assert about.weight_bytes == BASE.weight_bytes + 1000
    assert about.weight_bytes_by_dtype == {"BF16": 5, "F32": 1000}
    assert about.content_fingerprint not in ("", "a", "b")


def test_an_adapter_without_its_base_says_what_to_drop() -> None:
    gone = a_base(removed=True)
    found = fitted(ADAPTER, gone)
    assert found.refusal == (
        "its base model, Qwen/Qwen2.5-0.5B, is not here: drop it too, as Qwen2.5-0.5B"
    )
    assert found.descriptor.base_model == "Qwen/Qwen2.5-0.5B"


def test_an_adapter_of_a_model_that_embeds_is_refused() -> None:
    embeds = BASE.model_copy(update={"task": Task.EMBEDDING})
    assert "adapters go with text models" in fitted(ADAPTER, a_base(descriptor=embeds)).refusal


def test_an_adapter_is_missed_once_its_base_has_come_and_only_then() -> None:
    alone = a_model_record(model="style", state=ModelState.REJECTED, descriptor=ADAPTER)
    assert not is_missed(alone, [alone])
    assert is_missed(alone, [alone, a_base()])
    with_base = fitted(ADAPTER, a_base()).descriptor
    assert not is_missed(a_model_record(descriptor=with_base), [a_base()])
    embeds = a_base(descriptor=BASE.model_copy(update={"task": Task.EMBEDDING}))
    refused = alone.model_copy(update={"descriptor": fitted(ADAPTER, embeds).descriptor})
    assert not is_missed(refused, [refused, embeds])  # a refusal for good is not looked at again


def test_an_alias_is_nobody_else_s() -> None:
    wants = a_descriptor(overrides=Overrides(aliases=("gpt", "qwen")))
    assert fitted(wants, a_base()).refusal == "its alias qwen belongs to /models/qwen2.5-0.5b"
    has = a_base(descriptor=a_descriptor(overrides=Overrides(aliases=("gpt",))))
    assert "its alias gpt belongs to" in fitted(wants, has).refusal
    mine = a_base(model="style", descriptor=wants)
    assert fitted(wants, mine).refusal == ""


def test_a_name_is_nobody_else_s_alias() -> None:
    """A folder `small` took over the requests of the model whose alias was `small`."""
    has = a_base(descriptor=a_descriptor(overrides=Overrides(aliases=("style",))))
    refusal = "the name style is an alias of /models/qwen2.5-0.5b: give one of them another"
    assert fitted(a_descriptor(), has).refusal == refusal
    for gone in ({"removed": True}, {"state": ModelState.REJECTED}):
        assert fitted(a_descriptor(), has.model_copy(update=gone)).refusal == ""


def test_the_runtime_and_its_reason_are_in_the_descriptor() -> None:
    found = fitted(a_descriptor(format="onnx", task=Task.TENSOR))
    assert found.descriptor.runtime is RuntimeKind.RAY_SERVE
    assert found.descriptor.runtime_reason == "the model host (ray_serve) serves onnx programs"
    refused = fitted(a_descriptor(format="gguf"))
    assert refused.refusal == refused.descriptor.runtime_reason != ""


def write_adapter(folder: Path) -> None:
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "org/qwen"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    weights = models.safetensors({"q.lora_A.weight": ("BF16", (8, 64))})
    (folder / "adapter_model.safetensors").write_bytes(weights)


async def test_an_adapter_dropped_before_its_base_is_served_once_that_has_come(
    system: System,
) -> None:
    write_adapter(system.root / "style")
    await system.look_at(0, 1)
    [rejected] = system.bus.of(ev.ModelRejected)
    assert rejected.descriptor is not None
    await system.know(
        system.bus.of(ev.ModelDiscovered)[0],
        state=ModelState.REJECTED,
        descriptor=rejected.descriptor,
    )
    await system.look_at(20)
    assert len(system.bus.of(ev.ModelDiscovered)) == 1
    models.write_model(system.root / "qwen")
    await system.look_at(30, 31)
    [base] = system.bus.of(ev.ModelAnalyzed)
    await system.know(base, descriptor=base.descriptor)
    await system.look_at(50)
    style = system.bus.of(ev.ModelAnalyzed)[-1]
    assert (style.model, style.descriptor.base_path) == ("style", str(system.root / "qwen"))


async def test_a_model_s_own_file_names_it_and_renames_it(system: System) -> None:
    folder = models.write_model(system.root / "qwen")
    (folder / "model.yaml").write_text("name: tiny")
    await system.look_at(0, 1)
    [analysed] = system.bus.of(ev.ModelAnalyzed)
    assert analysed.model == "tiny"
    await system.know(analysed, descriptor=analysed.descriptor)
    (folder / "model.yaml").write_text("name: small")
    await system.look_at(10, 11)
    assert [it.model for it in system.bus.of(ev.ModelRemoved)] == ["tiny"]
