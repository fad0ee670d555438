"""A real language model in the brain's child process, with random weights: it really decides."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.clock import SystemClock
from modelium.common.local_llm import About, LlmUnavailable, LocalLlm, Said
from modelium.common.settings import MIB
from modelium.core.contest import Contestant, contest
from modelium.core.deployment import SEQS
from modelium.core.policy import Policy
from modelium.core.prompts import Prompt, about_decisions, decisions_of
from tests.system import System, running, stub_python, wait_until
from tests.unit.brain.kit import cold, figures, tick

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]


def interpreter() -> Path:
    return Path(os.environ["MODELIUM_VLLM_PYTHON"])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_model(tmp_path_factory.mktemp("brain") / "tiny", context_length=8192)


class Asking:
    """A child and the loop that it is asked from."""

    def __init__(self, model: Path, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.llm = LocalLlm(
            python=interpreter(),
            model=str(model),
            device="cpu",
            within_s=60,
            clock=SystemClock(),
        )
        self._keeping = runner.get_loop().create_task(self.llm.run())

    def loaded(self) -> About:
        return self._runner.run(self.llm.loaded())

    def ask(self, prompt: Prompt, **changes: Any) -> Said:
        return self._runner.run(self.llm.ask(prompt.question | changes))


@pytest.fixture(scope="module")
def asking(files: Path) -> Iterator[Asking]:
    with asyncio.Runner() as runner:
        started = Asking(files, runner)
        assert started.loaded().parameters > 100_000
        yield started
        pid = started.llm.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


def a_contest(random: Random) -> tuple[Prompt, tuple[Contestant, ...]]:
    """Something to choose between up to twelve models."""
    idle = [
        figures(f"warm{n}", idle_s=random.uniform(1, 900), can_sleep=random.random() < 0.5)
        for n in range(random.randint(1, 9))
    ]
    wanted = [cold(f"cold{n}", waiting=random.randint(1, 9)) for n in range(random.randint(1, 4))]
    seen = tick(*idle, *wanted)
    contestants = contest(seen, Policy())
    return about_decisions(seen, contestants), contestants


def test_it_answers_in_the_form_that_was_asked_for_whatever_it_is_asked(asking: Asking) -> None:
    random = Random(0)
    for _ in range(12):
        prompt, contestants = a_contest(random)
        said = asking.ask(prompt)
        assert decisions_of(said.text, contestants) is not None
        # Most of an answer is the only thing that can come next, and costs no pass.
        assert said.passes < said.tokens / 3
        assert said.cpu_s > 0


def test_what_was_read_before_is_not_read_again(asking: Asking) -> None:
    prompt, _ = a_contest(Random(1))
    first, again = asking.ask(prompt), asking.ask(prompt)
    assert (again.text, again.read_tokens) == (first.text, 1)
    other, _ = a_contest(Random(2))
    assert 1 < asking.ask(other).read_tokens < len(other.user)


def test_it_ends_at_its_deadline_and_answers_the_next(asking: Asking) -> None:
    prompt, contestants = a_contest(Random(3))
    with pytest.raises(LlmUnavailable, match="did not come to an end within 0 s"):
        asking.ask(prompt, within_s=0)
    assert decisions_of(asking.ask(prompt).text, contestants) is not None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"user": "long " * 9000}, "context is 8192"),
        ({"schema": {"type": "no such"}}, "form of its answer"),
        ({"most_tokens": 3}, "longer than 3 tokens"),
    ],
)
def test_what_it_cannot_answer_is_told(asking: Asking, changes: Any, why: str) -> None:
    prompt, _ = a_contest(Random(4))
    with pytest.raises(LlmUnavailable, match=why):
        asking.ask(prompt, **changes)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[System]:
    """Real services, stub engines, and a real language model in the brain."""
    folder = tmp_path_factory.mktemp("system")
    brain = {"backend": "local", "model_name": str(files), "python": str(interpreter())}
    settings: dict[str, Any] = {
        "vllm": {"overhead_bytes": 236 * MIB, "kv_cache_bytes": 32 * MIB},
        "modelium_brain": {**brain, "deadline_seconds": 30},
    }
    with running(folder, engine_python=stub_python(folder), settings=settings) as started:
        write_sample_model(started.models / "asked")
        wait_until("it is known", lambda: started.model("asked"))
        yield started


def status(system: System) -> dict[str, Any]:
    found: dict[str, Any] = system.get("/admin/brain")
    return found


def by_llm(system: System) -> list[dict[str, Any]]:
    """What it has said of the model, as it is kept."""
    kept = system.get("/admin/explain/asked?limit=100")["decisions"]
    return [decision for decision in kept if decision["source"] == "llm"]


def test_in_the_running_system_it_advises_beside_the_rules(system: System, files: Path) -> None:
    assert status(system)["advisor"] == f"local:{files}"
    system.chat("asked")
    # A model that is not loaded and was used a moment ago is something to think about.
    system.post("/admin/models/asked/unload", {})
    wait_until("it has answered", lambda: status(system)["answered"], 90)
    wait_until("its advice is kept", lambda: [d for d in by_llm(system) if d["decisions"]])
    assert all(decision["shadow"] for decision in by_llm(system))


def test_it_plans_for_a_new_model_beside_the_rules(system: System) -> None:
    wait_until("its plan is kept", lambda: [d for d in by_llm(system) if d["plan"]])
    (decision,) = (d for d in by_llm(system) if d["plan"])
    assert decision["shadow"]
    assert decision["plan"]["dropped_by"] is None
    assert decision["plan"]["settings"]["max_num_seqs"] in SEQS
    assert "GiB of weights" in decision["plan"]["reasoning"]


def test_when_its_process_is_killed_the_rules_go_on(system: System) -> None:
    brain = psutil.Process(system.children["brain"].pid)
    (child,) = brain.children()
    os.kill(child.pid, signal.SIGKILL)
    wait_until("that is told", lambda: "signal 9" in status(system)["last_failure"])
    assert system.chat("asked")["model"] == "asked"
    assert status(system)["standing"]["leader"] == "rules"
