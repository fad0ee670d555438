"""One request that is being answered: who asked for what, and what it has taken so far."""

from dataclasses import dataclass
from typing import Final

from modelium.gateway.access.principal import Principal
from modelium.gateway.edge.call import Call
from modelium.gateway.edge.client import Client
from modelium.gateway.edge.gone import EndedWhenGone
from modelium.gateway.edge.paths import Dialect, ModelIn
from modelium.gateway.engines.instance import Lease
from modelium.gateway.engines.relay import Passage
from modelium.gateway.engines.tokens import asking_for_usage, estimated_prompt
from modelium.gateway.waiting.room import Waiter

_NOTHING: Final = Passage()
"""What passed before an engine was asked."""


@dataclass(slots=True, eq=False)
class Ongoing:
    """See the module; `started_s` is monotonic."""

    call: Call
    client: Client
    principal: Principal
    watch: EndedWhenGone
    started_s: float
    passage: Passage = _NOTHING
    device_s: float = 0.0
    load_s: float = 0.0
    served: bool = False
    """Whether an engine has answered, and with no error."""
    waiter: Waiter | None = None
    """Its place in the queue, while it waits."""
    waited_s: float = 0.0
    """Before."""

    def next_passage(self, lease: Lease) -> Passage:
        """How the answer of the next engine is passed on."""
        rule = self.call.rule
        self.passage = Passage(
            ends_with=rule.ends_with,
            hide_usage=self.call.hide_usage,
            finishes=rule.dialect is Dialect.OPENAI,
            fingerprint=lease.instance.fingerprint,
        )
        return self.passage

    def tokens(self, context_length: int) -> tuple[int, int]:
        """Of the prompt and of the completion.

        An answer that broke off, or was left by its client, has not told them: then each event of
        its stream counts as one, and the prompt as what it probably took.
        """
        told = self.passage.tokens
        completion = self.passage.events if told.completion is None else told.completion
        if self._uncounted():
            return estimated_prompt(len(self.call.body), context_length), completion
        return told.prompt or 0, completion

    def _uncounted(self) -> bool:
        """Whether an engine has worked for it and could not say how much.

        Its client has left, or its stream has ended without usage. Only of prompts in JSON, where
        bytes tell something of tokens.
        """
        left = self.watch.gone or self.watch.ended
        begun = self.device_s > 0 and (left or self.passage.events > 0)
        unsaid = self.passage.tokens.prompt is None
        return begun and unsaid and self.call.rule.model_in is ModelIn.JSON


def asking(call: Call) -> Call:
    """The call that also asks for the usage of a stream, where the client has not."""
    asks = call.stream and call.rule.dialect is Dialect.OPENAI and not call.include_usage
    if not asks:
        return call
    body = asking_for_usage(call.body, has_options=call.include_usage is not None)
    if body is None:
        return call
    return call._replace(body=body, hide_usage=True)
