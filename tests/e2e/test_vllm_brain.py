"""A real language model on real vLLM gives advice, served by the system that it advises."""

import os
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.settings import GIB
from tests.system import System, running, wait_until

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

# A model with random weights may write spaces for ever where the form of its answer allows any.
NO_SPACES = (
    "--structured-outputs-config",
    '{"backend": "xgrammar", "disable_any_whitespace": true}',
)
LONGEST_S = 60.0
DEADLINE_S = 4.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Memory for the brain's model and one more; the brain asks through the gateway."""
    folder = tmp_path_factory.mktemp("brain")
    settings: dict[str, Any] = {
        "vllm": {"extra_args": NO_SPACES},
        "modelium_brain": {
            "backend": "openai",
            "model_name": "thinker",
            "deadline_seconds": DEADLINE_S,
        },
        "orchestration": {
            "decision_interval_seconds": 5.0,
            "policies": {"always_loaded": ["thinker"]},
        },
    }
    python = Path(os.environ["MODELIUM_VLLM_PYTHON"])
    with running(folder, engine_python=python, slot_bytes=6 * GIB, settings=settings) as started:
        for seed, name in enumerate(("thinker", "asked")):
            write_sample_model(started.models / name, seed=seed)
            wait_until(f"{name} is known", lambda name=name: started.model(name))
        started.wait_for_state("thinker", "loaded", 180)
        yield started


def ask(system: System, name: str) -> None:
    """A chat, asked again as clients do when they are told to: a load takes long here."""

    def answered() -> bool:
        try:
            return bool(system.chat(name)["model"] == name)
        except urllib.error.HTTPError as refused:
            assert refused.code == 503
            return False

    wait_until(f"{name} has answered", answered, 240)


def status(system: System) -> dict[str, Any]:
    found: dict[str, Any] = system.get("/admin/brain")
    return found


def said_by_llm(system: System) -> list[dict[str, Any]]:
    """Its decisions, as they are kept."""
    kept = system.get("/admin/explain/asked?limit=100")
    return [made for made in kept["decisions"] if made["source"] == "llm"]


def test_its_decisions_are_real_and_beside_those_of_the_rules(system: System) -> None:
    assert status(system)["standing"]["leader"] == "rules"
    ask(system, "asked")
    # A model that is not loaded and was used a moment ago is something to think about.
    system.post("/admin/models/asked/unload", {})
    system.wait_for_state("asked", "unloaded")
    wait_until("it has answered", lambda: status(system)["answered"], LONGEST_S)
    seen = status(system)
    assert seen["advisor"] == "openai:thinker"
    assert seen["took_s"] < DEADLINE_S
    wait_until("its decisions are kept", lambda: said_by_llm(system), LONGEST_S)


def test_without_its_engine_it_is_given_up_at_its_deadline_and_requests_are_served(
    system: System,
) -> None:
    wait_until("asked is loaded", lambda: loaded(system, "asked"), LONGEST_S)
    system.post("/admin/models/asked/unload", {})
    system.wait_for_state("asked", "unloaded")
    asked = status(system)["asked"]
    for process in system.engines():
        if "thinker" in process.cmdline():
            process.kill()

    def failed() -> bool:
        seen = status(system)
        return bool(seen["asked"] > asked and seen["last_failure"])

    wait_until("it was asked and has not answered", failed, LONGEST_S)
    assert status(system)["took_s"] < DEADLINE_S + 1
    ask(system, "asked")
    assert status(system)["standing"]["leader"] == "rules"


def loaded(system: System, name: str) -> bool:
    """Whether it answers at once."""
    ask(system, name)
    seen = system.model(name)
    return seen is not None and seen["state"] == "loaded"
