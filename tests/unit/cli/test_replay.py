"""`modelium replay` and what `modelium record` writes for it."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer

from modelium.cli.asking import EndpointAsker, LocalAsker
from modelium.cli.commands import app
from modelium.cli.record import listen, needs_of, write_needs
from modelium.cli.replay_brain import AskedBrain
from modelium.common.errors import ModeliumError
from modelium.common.figures import GatewayModelStats
from modelium.common.local_llm import LlmUnavailable
from modelium.common.reports import GatewayStats
from modelium.common.testing import FakeClock, InMemoryBus
from modelium.core.policy import Policy
from modelium.replay.files import COLUMNS, read, writing
from modelium.replay.recording import Recorder
from tests.stubs.llm import interpreter
from tests.unit.brain.kit import cold, figures, tick
from tests.unit.cli.test_gateway_client import gateway

ROWS = "".join(f"{60 * n},{'abc'[n % 3]},1\n" for n in range(30))
NEEDS = "model,gb,load_s\na,1,10\nb,1,10\nc,1,10\n"
Modelium = Callable[..., str]


@pytest.fixture
def modelium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Modelium:
    """Runs the command beside a trace and what its models need; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    Path("abc.csv").write_text(f"t_s,model,dur_s\n{ROWS}")
    Path("needs.csv").write_text(NEEDS)

    def run(*words: str) -> str:
        app([*words], standalone_mode=False)
        return capsys.readouterr().out

    return run


SMALL = ("--needs", "needs.csv", "--devices", "1", "--device-gb", "2")


def test_a_table_of_every_policy(modelium: Modelium) -> None:
    printed = modelium("replay", "abc.csv", *SMALL).splitlines()
    assert printed[0].startswith("1 device of 2 GB; a load takes 25 s")
    assert printed[2] == "abc: 30 requests"
    cells = {line.split()[0]: line.split()[1:] for line in printed[4:]}
    assert list(cells) == ["rules", "lru", "ttl", "gdsf", "clairvoyant"]
    assert cells["lru"][:3] == ["100.0%", "30", "0"]
    assert float(cells["clairvoyant"][-1]) == 0 < float(cells["lru"][-1])


def test_the_same_figures_as_json_and_of_several_traces(modelium: Modelium) -> None:
    Path("b.csv").write_text("t_s,model,dur_s\n0,a,1\n")
    said = json.loads(modelium("replay", "abc.csv", "b.csv", "-p", "lru,rules", "--json", *SMALL))
    assert [row["policy"] for row in said["abc"]] == ["lru", "rules"]
    assert said["b"][0]["mean_wait_s"] == 10
    assert said["b"][0]["regret_s"] is None


def test_the_page_stands_alone_and_its_charts_are_whole(modelium: Modelium) -> None:
    modelium("replay", "abc.csv", "--plot", "out.html", *SMALL)
    html = Path("out.html").read_text()
    assert not re.search(r"https?://|src=|@import", html)
    charts = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(charts) == 2
    for chart in charts:
        lines = ElementTree.fromstring(chart).findall("polyline")
        points = [tuple(map(float, p.split(","))) for p in lines[0].attrib["points"].split()]
        assert len(lines) == 5
        assert all(0 <= x <= 640 and 0 <= y <= 320 for x, y in points)


def test_a_page_of_a_trace_in_which_nobody_waits(modelium: Modelium) -> None:
    Path("warm.csv").write_text("model,gb,load_s\na,1,0\nb,1,0\nc,1,0\n")
    modelium("replay", "abc.csv", "--needs", "warm.csv", "--load-seconds", "0", "--plot", "p.html")
    assert "<svg" in Path("p.html").read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("none.csv",), "none.csv cannot be read: No such file"),
        (("abc.csv", "-p", "lru,fifo"), "--policy says fifo, expected some of rules,lru"),
        (("abc.csv", "-p", ","), "--policy says nothing"),
        (("abc.csv", "-p", "lru,brain"), "brain has no language model"),
        (("abc.csv", "--device-gb", "2"), "but a device has 2 GB"),
        (("abc.csv", "--plot", "no/folder.html", "-p", "lru"), "cannot be written"),
        (("abc.csv", "--plot", "plot.png"), "expected a name that ends in .html"),
        (("late.csv", "--hours", "0.5"), "late.csv has no request in its first 0.5 hours"),
        (("titles.csv",), "titles.csv has no request"),
        (("abc.csv", "--needs", "none.csv"), "none.csv cannot be read: No such file"),
        # With models of no size, or loads without an end, it never came to an end.
        (
            ("abc.csv", "--needs", "nothing.csv"),
            "line 2: gb is '0', expected a number above 0",
        ),
    ],
)
def test_what_cannot_be_replayed_is_said(
    modelium: Modelium, words: tuple[str, ...], why: str
) -> None:
    Path("late.csv").write_text("t_s,model,dur_s\n3600,a,1\n")
    Path("titles.csv").write_text("t_s,model,dur_s\n")
    Path("nothing.csv").write_text("model,gb\na,0\n")
    with pytest.raises(ModeliumError, match=re.escape(why)):
        modelium("replay", *words)


@pytest.mark.parametrize("command", ["replay", "brain dataset", "brain evaluate"])
@pytest.mark.parametrize("option", ["--hours", "--device-gb", "--host-gb"])
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much"])
def test_a_number_that_is_none_of_use_is_wrong_usage(
    modelium: Modelium, command: str, option: str, value: str
) -> None:
    needed = {"brain dataset": ("--out", "o.jsonl"), "brain evaluate": ("--model", "m")}
    words = (*command.split(), "generated", *needed.get(command, ()), option, value)
    with pytest.raises(typer.BadParameter, match=r"greater|less|number") as wrong:
        modelium(*words)
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize("command", ["replay", "brain dataset"])
def test_no_hours_are_wrong_usage_and_not_a_dozen(modelium: Modelium, command: str) -> None:
    out = ("--out", "o.jsonl") if command == "brain dataset" else ()
    with pytest.raises(typer.BadParameter, match="greater than"):
        modelium(*command.split(), "generated", "--hours", "0", *out)
    assert not Path("o.jsonl").exists()


def stats(requests: int, in_flight: int = 0, waiting: int = 0) -> GatewayStats:
    model = GatewayModelStats(
        model="a",
        requests=requests,
        failures=0,
        in_flight=in_flight,
        waiting=waiting,
        oldest_wait_s=0,
        idle_s=None,
        routed_generations=(),
    )
    return GatewayStats(gateway_id="g", models=(model,))


async def recorded(path: Path) -> Recorder:
    """A request each second, each for four; the first has been there before."""
    clock = FakeClock()
    bus, recorder = InMemoryBus(clock=clock), Recorder(clock.monotonic())
    with writing(path, COLUMNS) as file:
        listening = asyncio.ensure_future(listen(bus, recorder, file, clock=clock, seconds=60.0))
        await clock.until_sleeping(1)
        for second in range(50):
            await bus.publish(stats(max(0, second - 3), in_flight=min(4, second + 1)))
            await clock.advance(1)
        await bus.publish(tick(cold("a", needed_bytes=10**9, reload_s=7.0)))
        await clock.advance(20)
        assert await listening == 49
    return recorder


def test_what_is_recorded_can_be_replayed(modelium: Modelium) -> None:
    recorder = asyncio.run(recorded(Path("live.csv.gz")))
    write_needs(needs_of(Path("live.csv.gz")), recorder)
    trace = read(Path("live.csv.gz"))
    assert [request.at_s for request in trace.requests] == [n + 0.5 for n in range(49)]
    assert {request.lasts_s for request in trace.requests[5:40]} == {4.0}
    words = ("replay", "live.csv.gz", "--needs", "live.models.csv", "-p", "rules", "--json")
    [row] = json.loads(modelium(*words))["live"]
    assert (row["requests"], row["loads"], row["max_wait_s"]) == (49, 1, 7.0)


def completion(content: str) -> str:
    return json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})


HIDDEN = "a-name-of-a-model"
TICK = tick(figures(HIDDEN), cold("b", waiting=2))


def brain(url: str) -> AskedBrain:
    return AskedBrain(Policy(), EndpointAsker(f"{url}/v1", "qwen"), clock=FakeClock())


def test_a_brain_is_asked_as_in_the_running_system() -> None:
    answer = json.dumps({"m0": "load", "m1": "evict", "confidence": "high"})
    with gateway(completion(answer)) as (client, asked):
        advisor = brain(client.url)
        said = {d.model: d.action.value for d in advisor(TICK)}
    assert said == {"b": "load", HIDDEN: "evict"}
    assert HIDDEN not in asked[0]
    assert '"model": "qwen"' in asked[0]
    assert (advisor.asked, advisor.answered) == (1, 1)
    assert "1 answers" in advisor.report()


@pytest.mark.parametrize("content", [completion("no"), "no JSON", completion("{}")])
def test_rules_answer_in_place_of_a_brain_that_does_not(content: str) -> None:
    with gateway(content) as (client, _):
        advisor = brain(client.url)
        assert advisor(TICK) == ()
    assert advisor.answered == 0
    assert "last failure: it" in advisor.report()


def test_a_brain_that_is_not_there_does_not_end_the_replay() -> None:
    advisor = brain("http://127.0.0.1:1")
    assert advisor(TICK) == ()
    assert "cannot be reached" in advisor.last_failure


def test_a_local_model_is_told_with_its_size_and_its_cpu_seconds(tmp_path: Path) -> None:
    asker = LocalAsker(python=interpreter(tmp_path), model="good")
    advisor = AskedBrain(Policy(), asker, clock=FakeClock())
    assert advisor(TICK) == ()  # it repeats the question, which is no decision
    asker.close()
    assert advisor.report().startswith(
        "brain local:good (1e-06 M parameters, 4e-06 MB, cpu): asked 1 times, 0 answers, "
        "0.00 s each, 0.100 CPU-s each; last failure: its answer is no JSON object"
    )


def test_a_local_model_that_is_not_there_or_goes_ends_the_replay(tmp_path: Path) -> None:
    with pytest.raises(LlmUnavailable, match="/nowhere"):
        LocalAsker(python=interpreter(tmp_path), model="broken")
    asker = LocalAsker(python=interpreter(tmp_path), model="dies")
    with pytest.raises(LlmUnavailable, match="has ended"):
        AskedBrain(Policy(), asker, clock=FakeClock())(TICK)
    asker.close()


def test_a_brain_is_not_asked_where_there_is_nothing_to_choose() -> None:
    advisor = brain("http://127.0.0.1:1")
    assert advisor(tick()) == ()
    assert advisor.asked == 0
