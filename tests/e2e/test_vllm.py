"""The main job with real vLLM engines on the CPU: one of them fits at a time."""

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from modelium.cli.sample import write_sample_model
from modelium.common.settings import GIB
from tests.system import System, running, wait_until

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two sample models, memory for one engine."""
    folder = tmp_path_factory.mktemp("vllm")
    python = Path(os.environ["MODELIUM_VLLM_PYTHON"])
    with running(folder, engine_python=python, slot_bytes=3 * GIB) as started:
        for seed, name in enumerate(("first", "second")):
            write_sample_model(started.models / name, seed=seed)
            wait_until(f"{name} is known", lambda name=name: started.model(name))
        yield started


def test_a_model_is_loaded_for_its_first_request(system: System) -> None:
    answer = system.chat("first")
    assert answer["model"] == "first"
    assert answer["usage"]["completion_tokens"] > 0


def test_the_openai_package_streams_from_a_cold_model_that_takes_the_others_place(
    system: System,
) -> None:
    client = OpenAI(base_url=f"{system.url}/v1", api_key="none", max_retries=0)
    stream = client.chat.completions.create(
        model="second",
        messages=[{"role": "user", "content": "hello"}],
        max_tokens=8,
        stream=True,
    )
    chunks = list(stream)
    assert any(chunk.choices and chunk.choices[0].delta.content for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason in {"stop", "length"}
    assert system.model("first")["state"] == "unloaded"


def test_a_killed_agent_adopts_its_engine_again(system: System) -> None:
    engine = system.model("second")["generation"]
    system.kill("runtime_agent")
    assert system.chat("second")["model"] == "second"
    system.start("runtime_agent")
    assert system.chat("second")["model"] == "second"
    assert system.model("second")["generation"] == engine


def test_predict_answers_a_prompt(system: System) -> None:
    answer = system.post("/predict/second", {"prompt": "one two", "max_tokens": 4})
    assert answer["choices"][0]["text"]


def test_an_engine_that_is_killed_is_reported_and_loaded_again_on_demand(system: System) -> None:
    engine = system.model("second")["generation"]
    for process in system.engines():
        process.kill()
    wait_until("its death was seen", lambda: system.model("second")["state"] != "loaded")
    assert system.chat("second", timeout_s=240)["model"] == "second"
    assert system.model("second")["generation"] > engine


def test_the_model_list_shows_states_and_reasons(system: System) -> None:
    with urllib.request.urlopen(f"{system.url}/v1/models", timeout=10) as answer:
        listed = json.load(answer)["data"]
    by_name = {entry["id"]: entry["modelium"] for entry in listed}
    assert set(by_name) == {"first", "second"}
    assert all(entry["state"] == "loaded" or entry["reason"] for entry in by_name.values())
