"""How models are listed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from modelium.common.descriptor import Overrides, RuntimeKind, Task, TensorSpec
from modelium.common.records import Copy, InstanceState, ModelState
from modelium.common.testing import a_descriptor, a_model_record
from modelium.gateway.pages.views import (
    anthropic_card,
    anthropic_page,
    model_card,
    model_page,
    oip_model,
    oip_ready,
)

CARDS = [anthropic_card(a_model_record(model=name), None) for name in "abcde"]


def page(**bounds: str | None) -> tuple[list[str], bool]:
    after, before = bounds.get("after"), bounds.get("before")
    shown = anthropic_page(CARDS, limit=2, after=after, before=before)
    ids = [card.id for card in shown.data]
    assert (shown.first_id, shown.last_id) == ((ids[0], ids[-1]) if ids else (None, None))
    return ids, shown.has_more


def test_pages_follow_each_other_in_both_directions() -> None:
    assert page() == (["a", "b"], True)
    assert page(after="b") == (["c", "d"], True)
    assert page(after="d") == (["e"], False)
    assert page(after="e") == ([], False)
    assert page(before="d") == (["b", "c"], True)
    assert page(before="b") == (["a"], False)
    assert page(after="a", before="c") == (["b"], False)


def test_capabilities_are_the_routes_that_the_model_answers() -> None:
    about = a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE)
    info = model_card(a_model_record(descriptor=about), 3).modelium
    assert info.capabilities == (
        "/v2/models/{model}/infer",
        "/v2/models/{model}/versions/{version}/infer",
        "/predict/{model}",
    )
    assert info.eta_s == 3


def test_the_protocol_is_told_the_tensors_that_the_files_name() -> None:
    x = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
    about = a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE, inputs=(x,))
    told = oip_model(a_model_record(descriptor=about), 0)
    assert told.platform == "modelium_ray_serve"
    assert [t.model_dump() for t in told.inputs] == [
        {"name": "x", "datatype": "FP32", "shape": [-1, 4]}
    ]
    assert told.outputs == []


LABELS = {"logits": [-1, -1], "probabilities": [-1, -1], "label": [-1]}


@pytest.mark.parametrize(
    ("task", "takes", "gives"),
    [
        (Task.VISION, "image", {"logits": [-1, 10], "probabilities": [-1, 10], "label": [-1]}),
        (Task.CLASSIFY, "text", {**LABELS, "tokens": [-1]}),
        (Task.EMBEDDING, "text", {"embedding": [-1, -1], "tokens": [-1]}),
    ],
)
def test_the_protocol_is_told_what_a_model_host_takes_and_not_what_it_computes_from(
    task: Task, takes: str, gives: dict[str, list[int]]
) -> None:
    files: dict[str, Any] = {}
    if task is Task.VISION:
        pixels = TensorSpec(name="pixel_values", datatype="FP32", shape=(-1, 3, 32, 32))
        logits = TensorSpec(name="logits", datatype="FP32", shape=(-1, 10))
        files = {"inputs": (pixels,), "outputs": (logits,)}
    about = a_descriptor(task=task, runtime=RuntimeKind.RAY_SERVE, **files)
    told = oip_model(a_model_record(descriptor=about), 0)
    assert [t.model_dump() for t in told.inputs] == [
        {"name": takes, "datatype": "BYTES", "shape": [-1]}
    ]
    assert {t.name: t.shape for t in told.outputs} == gives
    kinds = {"label": "BYTES", "tokens": "INT64"}
    assert all(t.datatype == kinds.get(t.name, "FP32") for t in told.outputs)


def test_the_context_that_a_person_has_written_is_shown_and_not_the_models_own() -> None:
    about = a_descriptor(context_length=32768, overrides=Overrides(context=4096))
    record = a_model_record(descriptor=about)
    assert model_card(record, 0).modelium.context_length == 4096
    assert model_page(record, 0, None).context_length == 4096
    assert anthropic_card(record, 0).max_input_tokens == 4096
    unsaid = a_model_record(descriptor=a_descriptor(context_length=32768, overrides=Overrides()))
    assert model_card(unsaid, 0).modelium.context_length == 32768


def test_a_model_was_created_when_it_was_first_seen_however_often_it_is_loaded() -> None:
    seen_at = datetime(2026, 1, 2, tzinfo=UTC)
    late = datetime(2026, 3, 4, tzinfo=UTC)
    record = a_model_record(discovered_at=seen_at, loaded_at=late, updated_at=late)
    assert model_card(record, 0).created == int(seen_at.timestamp())
    assert anthropic_card(record, 0).created_at == seen_at
    assert model_card(a_model_record(updated_at=late), 0).created == 0


def test_a_model_that_is_not_analysed_is_listed_too() -> None:
    record = a_model_record(descriptor=None, state=ModelState.DISCOVERED)
    assert model_card(record, None).modelium.capabilities == ()
    assert anthropic_card(record, None).max_input_tokens is None
    assert oip_model(record, None).platform == ""


def test_only_a_loaded_model_is_ready() -> None:
    ready = {s for s in ModelState if oip_ready(a_model_record(state=s), None).ready}
    assert ready == {ModelState.LOADED}


def test_all_engines_of_a_model_are_shown_the_best_first() -> None:
    engine = {"model": "qwen", "agent_id": "far", "device_ids": ("d1",), "generation": 2}
    copy = Copy.model_validate(engine | {"instance_id": "qwen.2", "state": InstanceState.LOADING})
    record = a_model_record(
        state=ModelState.LOADED,
        generation=1,
        instance_id="qwen.1",
        agent_id="local",
        device_ids=("d0",),
        copies=(copy,),
    )
    shown = [(e.instance_id, e.state, e.agent_id) for e in model_page(record, 0, None).engines]
    assert shown == [("qwen.1", "loaded", "local"), ("qwen.2", "loading", "far")]
    assert model_page(a_model_record(), 0, None).engines == []


def test_what_is_not_served_is_known_all_the_same() -> None:
    about = a_descriptor(format="gguf", runtime_reason="nothing here serves it")
    record = a_model_record(state=ModelState.REJECTED, descriptor=about, reason="why")
    shown = model_page(record, None, None)
    assert (shown.runtime, shown.capabilities, shown.about) == (None, (), about)
    named = a_descriptor(overrides=Overrides(aliases=("gpt",)), runtime_reason="it can")
    shown = model_page(a_model_record(descriptor=named), None, None)
    assert (shown.aliases, shown.runtime_reason) == (("gpt",), "it can")
