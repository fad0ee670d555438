"""What of vLLM's command line is a model's own: its names, its adapter, its own file. Pure."""

from typing import Final

from modelium.common.descriptor import Descriptor
from modelium.common.events import LoadModel
from modelium.common.settings import LauncherKind
from modelium.runtime_agent.launcher import Site, base_mount

_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM reserves room for: the rank of an adapter, rounded up to one of these."""


def weights_path(command: LoadModel, site: Site) -> str:
    """What the engine loads, as it sees it: of an adapter, the base model."""
    base = command.descriptor.base_path
    if not base:
        return site.model_path
    return base_mount(site) if site.kind is LauncherKind.DOCKER else base


def naming_options(command: LoadModel, site: Site) -> list[str]:
    """The names that requests may give; a base model's own is one that nobody asks for."""
    names = (command.model, *_aliases(command.descriptor))
    if not command.descriptor.base_path:
        return ["--served-model-name", *names]
    return [
        *("--served-model-name", f"{command.model}.base"),
        *("--enable-lora", "--max-loras", "1"),
        *("--max-lora-rank", str(_room_for(command.descriptor.adapter_rank))),
        *("--lora-modules", *(f"{name}={site.model_path}" for name in names)),
    ]


def own_options(command: LoadModel) -> tuple[str, ...]:
    """What the model's own file says; the watcher has let through what is safe only."""
    overrides = command.descriptor.overrides
    return overrides.engine_args if overrides else ()


def planned_options(command: LoadModel, most_seqs: int) -> tuple[str, ...]:
    """What the brain's plan says; people's own words come after it, and count.

    No more requests at once than engines are given otherwise: that is what memory is estimated for.
    """
    planned = command.planned
    if planned is None:
        return ()
    seqs = min(planned.max_num_seqs or most_seqs, most_seqs)
    cache = () if planned.prefix_cache else ("--no-enable-prefix-caching",)
    return ("--max-num-seqs", str(seqs), *cache)


def _aliases(descriptor: Descriptor) -> tuple[str, ...]:
    return descriptor.overrides.aliases if descriptor.overrides else ()


def _room_for(rank: int) -> int:
    return next((known for known in _RANKS if known >= rank), _RANKS[-1])
