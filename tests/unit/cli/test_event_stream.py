"""Reading server-sent events, and staying with them when the connection breaks."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from modelium.cli.event_stream import ServerEvent, follow, server_events
from modelium.cli.events import Wanted, show_events
from modelium.cli.gateway_client import GatewayClient, Refused
from modelium.common.errors import DependencyUnavailable
from tests.unit.cli.test_gateway_client import gateway

AWAY = DependencyUnavailable("No gateway answers", "Start it.")


def test_events_have_name_data_and_the_last_id() -> None:
    lines = ["retry: 2000", ": ping", "", "id: 7", "event: change", "data: a", "data: b", ""]
    lines += ["data:c", "", "id: 8", "", "", "data: cut off"]
    assert list(server_events(lines)) == [
        ServerEvent("change", "a\nb", "7"),
        ServerEvent("message", "c", "7"),
        ServerEvent("message", "", "8"),
    ]


class Breaking(GatewayClient):
    """A gateway whose connection ends as it is told, each time it is asked."""

    def __init__(self, *answers: list[ServerEvent | Exception]) -> None:
        super().__init__("http://127.0.0.1")
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def events(self, path: str, last_id: str = "") -> Iterator[ServerEvent]:
        self.asked.append((path, last_id))
        for part in self.answers.pop(0):
            if isinstance(part, Exception):
                raise part
            yield part


def event(number: int) -> ServerEvent:
    return ServerEvent("x", json.dumps({"seq": number}), str(number))


def test_after_a_break_it_goes_on_behind_the_last_event() -> None:
    client = Breaking([event(1), event(2), AWAY], [AWAY], [event(3)], [Refused(401, "x", "no")])
    waits: list[float] = []
    seen: list[str] = []
    with pytest.raises(Refused):
        for got in follow(client, lambda last: f"/e?after={last}", wait=waits.append):
            seen.append(got.id)
    assert seen == ["1", "2", "3"]
    places = ["", "2", "2", "3"]
    assert client.asked == [(f"/e?after={last}", last) for last in places]
    assert len(waits) == 3


def test_a_gateway_that_never_answered_is_an_error() -> None:
    with pytest.raises(DependencyUnavailable):
        next(follow(Breaking([AWAY]), str, wait=pytest.fail))


def an_event(number: int) -> dict[str, Any]:
    told = {"seq": number, "time": "2026-01-31T12:00:00.5Z", "subject": "runtime.failed"}
    return {**told, "source": "agent", "model": "qwen", "payload": {"generation": 1}}


def test_the_newest_events_come_in_the_order_in_which_they_happened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = {"events": [an_event(9), an_event(8)], "next_before": None}
    wanted = Wanted(("model.*", "runtime.failed"), "qwen")
    with gateway(json.dumps(page)) as (client, asked):
        show_events(client, wanted, count=50, follow=False, as_json=True)
        shown = capsys.readouterr().out
        show_events(client, wanted, count=50, follow=False, as_json=False)
    assert [json.loads(line)["seq"] for line in io.StringIO(shown)] == [8, 9]
    query = "limit=50&subject=model.%2A&subject=runtime.failed&model=qwen"
    assert asked[0] == f"GET /events/recent?{query}"
    first = capsys.readouterr().out.splitlines()[0]
    assert first.split() == ["2026-01-31T12:00:00Z", "runtime.failed", "qwen", "generation=1"]
