"""`modelium brain train`: trains a language model on a dataset, under the engine's interpreter."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from modelium.cli.console import say, step
from modelium.cli.layout import Layout
from modelium.common.errors import ExitCode, ModeliumError
from modelium.common.linked_package import linked_package
from modelium.common.load_settings import Settings

PACKAGE: Final = "modelium.local_llm"
MODULE: Final = f"{PACKAGE}.training"
INTERRUPTED_S: Final = 30.0


class NotTrained(ModeliumError):
    """There is no trained model; says why."""

    exit_code = ExitCode.FAILURE


def interpreter(settings: Settings) -> Path:
    """The one with torch.

    Raises:
        NotTrained: none is known.
    """
    own = settings.modelium_brain.python or settings.vllm.python
    python = own or Layout.here().engine_python()
    if python is None:
        raise NotTrained(
            "no interpreter with torch is known: run scripts/bootstrap, or let "
            "modelium_brain.python or vllm.python name one"
        )
    return python


def train(python: Path, arguments: list[str]) -> None:
    """Until it is done; Ctrl-C ends it, and the same command goes on from what it has kept.

    Raises:
        NotTrained: with what the trainer said.
    """
    with step("training") as shown, _trainer(python, arguments) as trainer:
        assert trainer.stdout is not None
        last: dict[str, Any] = {}
        for line in trainer.stdout:
            last = json.loads(line)
            if note := _note(last):
                shown.note(note)
        code = trainer.wait()
        if "failed" in last:
            raise NotTrained(last["failed"])
        if code:
            raise NotTrained(f"the trainer has ended with code {code}: see what it said above")
    _report(last)


@contextmanager
def _trainer(python: Path, arguments: list[str]) -> Iterator["subprocess.Popen[str]"]:
    with tempfile.TemporaryDirectory(prefix="modelium-train-") as folder:
        environment = {
            # Threads that wait for each other must not take the CPU from whoever they wait for.
            "OMP_WAIT_POLICY": "PASSIVE",
            **os.environ,
            "PYTHONPATH": str(linked_package(PACKAGE, Path(folder))),
            "TOKENIZERS_PARALLELISM": "false",
        }
        try:
            trainer = subprocess.Popen(
                [python, "-m", MODULE, *arguments],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as wrong:
            raise NotTrained(f"{python} cannot be run: {wrong.strerror or wrong}") from wrong
        try:
            yield trainer
        finally:
            trainer.terminate()
            trainer.wait(INTERRUPTED_S)


def _note(said: dict[str, Any]) -> str:
    if "how" in said:
        return f"{said['examples']} examples, {said['weights']} weights ({said['how']})"
    if "resumed" in said:
        return f"goes on after step {said['resumed']}"
    return f"step {said['step']} of {said['of']}, loss {said['loss']:.4f}" if "step" in said else ""


def _report(done: dict[str, Any]) -> None:
    held_out = done["held_out"]
    right, commonest = f"{held_out['right']:.1%}", f"{held_out['commonest']:.1%}"
    say(
        f"After {done['done']} steps {right} of {held_out['choices']} choices that were held out "
        f"are the best ones; always the commonest would be {commonest}."
    )
