"""Server-sent events as the gateway's live routes send them, and how a reader stays with them.

The framing is that of the HTML standard, of which a terminal needs four fields.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelium.cli.console import say
from modelium.cli.waiting import pause
from modelium.common.errors import DependencyUnavailable

if TYPE_CHECKING:
    from modelium.cli.gateway_client import GatewayClient

SILENCE_S: Final = 45.0
"""Three of the comments that the gateway sends every 15 s are missing: it is gone."""
AGAIN_S: Final = 2.0


@dataclass(frozen=True)
class ServerEvent:
    """One event; `id` is the last one that was sent, also with an earlier event."""

    name: str
    data: str
    id: str


def server_events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """The events of a stream's lines; one that is cut off is none, and comments are passed over.

    One without data only tells where the stream is.
    """
    name, data, last_id, told = "message", list[str](), "", ""
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value
        elif not line:
            if data or last_id != told:
                yield ServerEvent(name, "\n".join(data), last_id)
            name, data, told = "message", [], last_id


def follow(
    client: "GatewayClient", path: Callable[[str], str], *, wait: Callable[[float], None] = pause
) -> Iterator[ServerEvent]:
    """All events from now on, however often the connection breaks; never ends by itself.

    `path` is asked for the route at the beginning, with an empty text, and after each break with
    the id of the last event, which is also sent as `Last-Event-ID`.

    Raises:
        DependencyUnavailable: nobody answers at the beginning; later it is tried again for ever.
        Refused: at any time.
    """
    seen, connected = "", False
    while True:
        try:
            for event in client.events(path(seen), seen):
                connected, seen = True, event.id or seen
                yield event
            connected = True
        except DependencyUnavailable as gone:
            if not connected:
                raise
            say(f"{gone.what}; trying again ...", "dim")
        wait(AGAIN_S)
