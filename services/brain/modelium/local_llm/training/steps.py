"""The training itself. Interrupted, it goes on from the last state that it kept."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import torch

from modelium.local_llm.clock import monotonic
from modelium.local_llm.training.data import Tokens, batches, tensors
from modelium.local_llm.training.options import Options

STATE: Final = "training.pt"
WARM_UP: Final = 0.05
"""Share of the steps in which the rate of learning grows."""
KEEP_EVERY: Final = 100
SAY_EVERY: Final = 10
LONGEST_GRADIENT: Final = 1.0

Say = Callable[[dict[str, Any]], None]


class Training:
    """One run; `options` and `examples` decide all that comes of it."""

    def __init__(
        self,
        model: Any,
        examples: Sequence[Tokens],
        options: Options,
        say: Say,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_stopped` is asked after each step; what was done until then is kept."""
        self._is_stopped = is_stopped
        self._model = model
        self._examples = examples
        self._options = options
        self._say = say
        self.step = 0
        self._optimizer = torch.optim.AdamW(
            [w for _, w in self._trained()], lr=options.learning_rate, weight_decay=0.01
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._rate)

    def run(self) -> None:
        """All steps that are left, or as many as there is time for."""
        self._resume()
        options, began_s = self._options, monotonic()
        order = batches(self._examples, options.batch, options.seed)
        torch.manual_seed(options.seed + self.step)
        self._model.train()
        for batch in islice(order, self.step, options.steps):
            loss = self._learn(batch)
            self.step += 1
            if self.step % SAY_EVERY == 0 or self.step == options.steps:
                self._say({"step": self.step, "of": options.steps, "loss": round(loss, 4)})
            if self.step % KEEP_EVERY == 0:
                self.keep()
            if self._is_stopped():
                break
            if options.minutes and monotonic() - began_s > 60 * options.minutes:
                break
        self.keep()

    def _learn(self, batch: Sequence[Tokens]) -> float:
        loss = self._model(**tensors(batch, self._model.device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), LONGEST_GRADIENT)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        return float(loss.detach())

    def _trained(self) -> Iterator[tuple[str, Any]]:
        """The weights that change; of a model with LoRA a small part."""
        return ((n, w) for n, w in self._model.named_parameters() if w.requires_grad)

    def _rate(self, step: int) -> float:
        """Grows evenly, then falls like a cosine to a tenth."""
        warm_up = max(1, int(WARM_UP * self._options.steps))
        if step < warm_up:
            return (step + 1) / warm_up
        done = (step - warm_up) / max(1, self._options.steps - warm_up)
        return 0.55 + 0.45 * math.cos(math.pi * min(1.0, done))

    def keep(self) -> None:
        """So that it can go on from here; a reader finds the old state or the new one."""
        path = self._state_path
        new = path.with_suffix(".new")
        state = {
            "made_for": made_for(self._options),
            "step": self.step,
            "model": {name: w.data for name, w in self._trained()},
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        torch.save(state, new)
        new.replace(path)

    def _resume(self) -> None:
        if not self._state_path.is_file():
            return
        state = torch.load(self._state_path, weights_only=True)
        if state["made_for"] != made_for(self._options):
            raise OtherTraining(
                f"{self._options.out} holds another training ({state['made_for']}), expected "
                f"{made_for(self._options)}: name another folder"
            )
        with torch.no_grad():
            for name, weights in self._trained():
                weights.copy_(state["model"][name])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        self._say({"resumed": self.step})

    @property
    def _state_path(self) -> Path:
        return self._options.out / STATE


class OtherTraining(Exception):
    """The folder holds the state of a training with other options."""


def made_for(options: Options) -> str:
    """What must be the same for a training to go on."""
    names = ("base", "steps", "batch", "learning_rate", "seed")
    return json.dumps({name: getattr(options, name) for name in names})
