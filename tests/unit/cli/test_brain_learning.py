"""Datasets are written whole, and a trained model is judged by what it has not learned from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modelium.cli.brain import lines
from modelium.cli.brain_dataset import Source, write
from modelium.cli.brain_evaluate import NoRecord, learned_from, unseen
from modelium.common.advice import BrainStatus, Standing, TuningStatus
from modelium.common.load_settings import Settings
from modelium.core.prompts import DECISIONS
from modelium.replay.contenders import CannotReplay, Setup
from modelium.replay.files import WrongFile
from modelium.replay.parts import GB, Need
from modelium.replay.trace import Request, Trace

SETUP = Setup(devices=1, device_bytes=2 * GB, needs=dict.fromkeys("abc", Need(GB, 10.0)))
TRACE = Trace("turns", tuple(Request(60.0 * n, "abc"[n % 3], 1.0) for n in range(60)))


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "turns.csv"
    rows = [f"{r.at_s:g},{r.model},{r.lasts_s:g}" for r in TRACE.requests]
    path.write_text("\n".join(["t_s,model,dur_s", *rows]) + "\n")
    return path


def test_a_dataset_has_both_parts_and_is_never_overwritten(tmp_path: Path, trace: Path) -> None:
    out = tmp_path / "examples.jsonl"
    source = Source([trace], SETUP)
    write(Settings(), source, out)
    examples = [json.loads(line) for line in out.read_text().splitlines()]
    assert {example["part"] for example in examples} == {"train", "held_out"}
    assert {example["prompt"] for example in examples} == {DECISIONS}
    with pytest.raises(WrongFile, match="is there already"):
        write(Settings(), source, out)
    small = replace(SETUP, device_bytes=GB // 2)
    for _ in range(2):  # what was begun is in nobody's way
        with pytest.raises(CannotReplay, match="needs 1 GB, but a device has"):
            write(Settings(), Source([trace], small), tmp_path / "other.jsonl")
    with pytest.raises(WrongFile, match="several traces are named turns"):
        write(Settings(), Source([trace, trace], SETUP), tmp_path / "other.jsonl")


def test_only_what_was_held_out_of_a_known_trace_is_replayed() -> None:
    assert unseen(TRACE, {}) is TRACE
    assert [r.at_s for r in unseen(TRACE, {"turns": 3421.0}).requests] == [59.0, 119.0]
    with pytest.raises(CannotReplay, match="give more --hours"):
        unseen(TRACE, {"turns": 4000.0})


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (
            None,
            "cannot be read: No such file or directory; expected a folder",
        ),
        ("[]", "expected a folder that `modelium brain train` wrote"),
        ('{"prompts": ["decisions-0"], "held_from_s": {}}', "has learned to answer decisions-0"),
    ],
)
def test_a_model_says_what_it_has_learned(tmp_path: Path, written: str | None, says: str) -> None:
    if written is not None:
        (tmp_path / "trained_on.json").write_text(written)
    with pytest.raises(NoRecord, match=says):
        learned_from(tmp_path)


def test_the_status_tells_what_became_of_the_policies() -> None:
    status = BrainStatus(backend="rules", advisor="rules", standing=Standing())
    assert len(lines(status.model_dump(mode="json"))) == 1
    tuning = TuningStatus(requests=7, rounds=2, last="applied: fine", changed="fine")
    shown = lines(status.model_copy(update={"tuning": tuning}).model_dump(mode="json"))
    assert shown[1:] == [
        "tuning   2 replays of the recent demand, 7 requests now",
        "result   applied: fine",
        "policies changed: fine",
    ]
