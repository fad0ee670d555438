"""The analysis without the process it runs in otherwise, which takes a third of a second."""

from collections.abc import Sequence

from modelium.common.descriptor import Descriptor
from modelium.watcher import analysis
from modelium.watcher.listing import Candidate
from modelium.watcher.safety.inspection import inspect
from modelium.watcher.safety.request import Request


class InThisProcess:
    """See `filesystem.Analyst`."""

    asks_for_signature = False

    async def analyse(self, candidate: Candidate, supported: Sequence[str]) -> Descriptor:
        return inspect(candidate, Request(supported=tuple(supported)))

    def terms(self, path: str) -> str:
        return ""


class AnalysisAlone:
    """Without what is looked for before it, which has reasons of its own."""

    asks_for_signature = False

    async def analyse(self, candidate: Candidate, supported: Sequence[str]) -> Descriptor:
        return analysis.analyse(candidate, supported)

    def terms(self, path: str) -> str:
        return ""
