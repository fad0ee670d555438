"""The sentences that tell people why a model waits."""

from collections.abc import Iterable, Sequence
from typing import Final

from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView
from modelium.core.victims import protected_s

GIB: Final = 1 << 30


def gib(amount_bytes: int) -> str:
    """Bytes for people, never rounded up to something that would fit."""
    return f"{amount_bytes / GIB:.1f} GiB"


def names(models: Iterable[ModelView]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    listed = sorted(f"a copy of {m.model}" if m.copy_id else m.model for m in models)
    return " and ".join(filter(None, (", ".join(listed[:-1]), *listed[-1:])))


def room(needed_bytes: int, device: DeviceView, free_bytes: int) -> str:
    """What it needs and what is there."""
    return f"needs {gib(needed_bytes)}, {device.name} has {gib(max(0, free_bytes))} free"


def too_small(
    needed_bytes: int, device: DeviceView, left_bytes: int, beside: Sequence[ModelView]
) -> str:
    """Why waiting cannot help, on the best device there is; `beside`: what always stays on it."""
    if not beside:
        largest = f"the largest device, {device.name}, has {gib(device.total_bytes)}"
        return f"needs {gib(needed_bytes)}, but {largest}"
    are = "is" if len(beside) == 1 else "are"
    left = f"{device.name} has {gib(max(0, left_bytes))} beside {names(beside)}"
    return f"needs {gib(needed_bytes)}, but {left}, which {are} always loaded"


def obstacle(models: Iterable[ModelView], policy: Policy) -> tuple[str, str]:
    """Why the engines on a device do not give way yet: the sentence, and its cause."""
    residents = tuple(models)
    free_to_go = [m for m in residents if not m.pinned]
    fresh = [m for m in free_to_go if protected_s(m, policy) > 0]
    if not free_to_go:
        if residents:
            return f"{names(residents)} is always loaded", f"pinned:{names(residents)}"
        return "the memory is used by something else", "outside"
    if fresh:
        wait_s = max(protected_s(m, policy) for m in fresh)
        return f"{names(fresh)} stays at least {wait_s:.0f} s more", f"fresh:{names(fresh)}"
    return f"{names(free_to_go)} is in use", f"in-use:{names(free_to_go)}"
