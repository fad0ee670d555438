"""Which of several instances a request goes to. Pure; chance comes in as an argument.

The instance that probably has the request's prompt in its cache, unless it is much busier than the
least busy one: by more than `GUARD_REQUESTS`, and by more than the factor `GUARD_RATIO`. Without
such an instance, the less busy of two that chance picks: nearly as even as the least busy of all,
and gateways that see the same figures do not all run to the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Final

GUARD_REQUESTS: Final = 8
GUARD_RATIO: Final = 1.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance that may get the request; `load` is in requests, of all gateways."""

    generation: int
    load: int


def choose(candidates: Sequence[Candidate], preferred: int | None, random: Random) -> Candidate:
    """One of `candidates` (at least one); `preferred` is a generation, if any has the prompt."""
    if len(candidates) == 1:
        return candidates[0]
    for candidate in candidates:
        if candidate.generation == preferred and not _overloaded(candidate, candidates):
            return candidate
    first, second = random.sample(candidates, 2)
    return second if second.load < first.load else first


def _overloaded(candidate: Candidate, candidates: Sequence[Candidate]) -> bool:
    least = min(other.load for other in candidates)
    return candidate.load - least > GUARD_REQUESTS and candidate.load > least * GUARD_RATIO


def home_of(session: bytes, generations: Sequence[int]) -> int:
    """The instance (its generation) a session belongs to: the same for every gateway.

    When an instance comes or goes, only the sessions that move to it or from it move.
    """
    return max(generations, key=lambda generation: _weight(session, generation))


def _weight(session: bytes, generation: int) -> bytes:
    return blake2b(session, digest_size=8, salt=generation.to_bytes(8)).digest()
