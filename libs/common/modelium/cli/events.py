"""`modelium events`: what happened on the bus, and what happens."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from modelium.cli import event_stream
from modelium.cli.console import coloured, out
from modelium.cli.event_words import words
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.waiting import Stopped, stopped_by_signals

PAGE: Final = 200
"""Events that are asked for at once."""
_SUBJECT_WIDTH: Final = 24


@dataclass(frozen=True)
class Wanted:
    """Which events; no subject: all. Subjects may have NATS' wildcards.

    `everything`: also decisions to change nothing.
    """

    subjects: tuple[str, ...] = ()
    model: str | None = None
    everything: bool = False

    def query(self) -> list[tuple[str, str]]:
        """As the gateway takes it."""
        chosen = [("subject", subject) for subject in self.subjects]
        chosen += [("model", self.model)] if self.model else []
        return [*chosen, ("all", "true")] if self.everything else chosen


def show_events(
    client: GatewayClient, wanted: Wanted, *, count: int, follow: bool, as_json: bool
) -> None:
    """The newest `count` in the order in which they happened, and with `follow` those to come."""
    show = _json_line if as_json else _line
    before = _newest(client, wanted, count)
    for event in before:
        out(show(event))
    if not follow:
        return
    position = str(before[-1]["seq"]) if before else ""
    try:
        with stopped_by_signals():
            for event in _coming(client, wanted, position):
                out(show(event))
    except Stopped:
        return


def _newest(client: GatewayClient, wanted: Wanted, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    position: list[tuple[str, str]] = []
    while len(found) < count:
        limit = ("limit", str(min(PAGE, count - len(found))))
        page = client.recent_events([limit, *position, *wanted.query()])
        found += page["events"]
        if page["next_before"] is None:
            break
        position = [("before", str(page["next_before"]))]
    return found[::-1]


def _coming(client: GatewayClient, wanted: Wanted, position: str) -> Iterator[dict[str, Any]]:
    def path(seen: str) -> str:
        after = [("after", seen or position)] if seen or position else []
        return f"/events?{urlencode([*after, *wanted.query()])}"

    for event in event_stream.follow(client, path):
        if event.data:
            yield json.loads(event.data)


def _json_line(event: dict[str, Any]) -> str:
    return json.dumps(event)


def _line(event: dict[str, Any]) -> str:
    """As wide as the terminal at most; whole where it is no terminal."""
    said = words(event["subject"], event["payload"])
    subject = str(event["subject"]).ljust(_SUBJECT_WIDTH)
    head = f"{str(event['time'])[:19]}Z  {subject}  {event.get('model') or '-'}  "
    if sys.stdout.isatty():
        said = said[: max(0, shutil.get_terminal_size().columns - len(head))]
    return head + coloured(said, "dim", sys.stdout)
