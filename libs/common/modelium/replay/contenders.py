"""All policies by name, and what each makes of a trace on a node. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from modelium.common.errors import ExitCode, ModeliumError
from modelium.core import rules
from modelium.core.policy import Policy
from modelium.replay import scored
from modelium.replay.deciding import Advisor, Deciding
from modelium.replay.node import Node
from modelium.replay.parts import (
    DEVICE_BYTES,
    GB,
    MEASURED,
    RESTART,
    LoadTime,
    Need,
    drawn_sizes,
)
from modelium.replay.simulate import Driver, Outcome, run
from modelium.replay.trace import Trace

RULES: Final = "rules"
BRAIN: Final = "brain"
CLAIRVOYANT: Final = "clairvoyant"
OTHERS: Final = {
    "lru": scored.least_recently_used,
    "ttl": scored.time_to_live,
    "gdsf": scored.greedy_dual,
    CLAIRVOYANT: scored.clairvoyant,
}
NAMES: Final = (RULES, *OTHERS, BRAIN)


class CannotReplay(ModeliumError):
    """What is asked for cannot be replayed; says why and what was expected."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Setup:
    """The node on which traces are replayed."""

    devices: int = 8
    device_bytes: int = DEVICE_BYTES
    load_time: LoadTime = RESTART
    host_bytes: int = 0
    """Of host memory in which the engines of Modelium may sleep; nobody else's can. 0: no sleep."""
    needs: Mapping[str, Need] = field(default_factory=dict)
    """What is known of models; the size of others is drawn."""
    seed: int = 0

    def node(self, trace: Trace, *, sleeps: bool) -> Node:
        """With nothing loaded.

        Raises:
            CannotReplay: a model is larger than a device.
        """
        drawn = drawn_sizes(trace.models - self.needs.keys(), seed=self.seed)
        known = {model: self.needs[model] for model in trace.models & self.needs.keys()}
        sizes = drawn | {model: need.size_bytes for model, need in known.items()}
        largest = max(sizes, key=lambda model: (sizes[model], model))
        if sizes[largest] > self.device_bytes:
            raise CannotReplay(
                f"{largest} of {trace.name} needs {sizes[largest] / GB:g} GB, "
                f"but a device has {self.device_bytes / GB:g} GB"
            )
        return Node(
            {name: sizes[name] for name in sorted(sizes)},
            devices=self.devices,
            load_time=self.load_time,
            loads_s={m: need.load_s for m, need in known.items() if need.load_s is not None},
            device_bytes=self.device_bytes,
            host_bytes=self.host_bytes,
            levels=MEASURED if sleeps and self.host_bytes else (),
        )


@dataclass(frozen=True, slots=True)
class Contenders:
    """Makes policies; those of Modelium go by `policy`."""

    policy: Policy = field(default_factory=Policy)
    interval_s: float = 10.0
    """Between two ticks for whoever advises."""
    brain: Advisor | None = None

    def driver(self, name: str) -> Driver:
        """A new one.

        Raises:
            CannotReplay: there is no such policy, or no brain.
        """
        if name in OTHERS:
            return OTHERS[name]()
        if name == RULES:
            advisor = partial(rules.advise, policy=self.policy)
            return self._deciding(advisor, foresees=rules.foresee(self.policy))
        if name == BRAIN and self.brain is not None:
            return self._deciding(self.brain, foresees=True)
        if name == BRAIN:
            raise CannotReplay(
                "brain has no language model: give --brain-model with the folder of one, or "
                "--brain-endpoint and --brain-model, or set modelium_brain.backend"
            )
        raise CannotReplay(f"there is no policy {name!r}, expected some of {', '.join(NAMES)}")

    def _deciding(self, advisor: Advisor, *, foresees: bool) -> Driver:
        return Deciding(self.policy, advisor=advisor, interval_s=self.interval_s, foresees=foresees)

    def replay(self, name: str, trace: Trace, setup: Setup) -> Outcome:
        """What the policy makes of the trace."""
        driver = self.driver(name)
        return run(setup.node(trace, sleeps=name in (RULES, BRAIN)), trace.requests, driver)
