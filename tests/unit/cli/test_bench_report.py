"""The figures of `modelium bench`."""

import pytest
from typer.testing import CliRunner

from modelium.cli.bench_load import Load
from modelium.cli.bench_report import TITLES, Read, Request, level, row, spread
from modelium.cli.commands import app
from modelium.common.errors import ExitCode


def test_a_level_counts_what_was_answered_and_names_what_was_not() -> None:
    streamed = a_stream((0.5, 1), (1.0, 1), (2.0, 1), tokens=3)
    whole = Request(1.0, 2.0, tokens=7)
    failed = Request(0.0, 9.0, error="503 busy")
    figures = level(4, [streamed, whole, failed, failed], 4.0)
    assert (figures["requests"], figures["errors"]) == (2, 2)
    assert figures["error_messages"] == {"503 busy": 2}
    assert (figures["requests_per_second"], figures["tokens_per_second"]) == (0.5, 2.5)
    assert figures["first_token_seconds"]["p50"] == 0.75
    assert figures["between_tokens_seconds"]["p50"] == 0.75
    assert figures["request_seconds"]["p99"] == pytest.approx(1.99)
    assert len(row(figures)) == len(TITLES)


def a_stream(*reads: tuple[float, int], tokens: int) -> Request:
    return Request(0.0, reads[-1][0], [Read(*read) for read in reads], tokens)


@pytest.mark.parametrize(
    ("reads", "tokens", "gaps_s"),
    [
        ([(1, 1), (2, 1), (4, 1)], 3, [1, 2]),
        ([(1, 2), (2, 4)], 6, [0.25] * 4),  # a read brought four: none took no time
        ([(1, 1), (2, 1)], 8, [0.25] * 4),  # the engine put four into each piece
        ([(1, 5)], 5, []),
        ([(1, 2), (2, 1)], 2, [1]),  # a piece without a token
    ],
)
def test_tokens_that_come_at_once_share_the_time(
    reads: list[tuple[float, int]], tokens: int, gaps_s: list[float]
) -> None:
    """All but the first of a read seemed to take 0 ms."""
    assert a_stream(*reads, tokens=tokens).gaps_s == pytest.approx(gaps_s)


def test_how_many_tokens_come_at_once_is_told() -> None:
    several = a_stream((1, 2), (2, 4), tokens=6)
    assert level(1, [several, a_stream((1, 1), tokens=1)], 1.0)["tokens_per_read"] == 2.33
    assert level(1, [Request(0.0, 1.0, tokens=3)], 1.0)["tokens_per_read"] is None


def test_nothing_answered_has_no_times() -> None:
    figures = level(1, [], 0.0)
    assert figures["request_seconds"] == {"p50": None, "p99": None}
    assert row(figures)[-1] == "-"


def test_one_value_is_both_the_median_and_the_99th_hundredth() -> None:
    assert spread([0.25]) == {"p50": 0.25, "p99": 0.25}


def test_no_request_is_like_another() -> None:
    asked = Load(model="m", task="embedding", requests=1, seconds=1, max_tokens=1, input_tokens=3)
    texts = [asked.body(number)["input"] for number in range(3)]
    assert len(set(texts)) == 3
    assert all(len(text.split()) == 3 for text in texts)


@pytest.mark.parametrize("levels", ["0", "1,", "a", "-1"])
def test_a_level_that_is_no_number_is_wrong_usage(levels: str) -> None:
    ended = CliRunner().invoke(app, ["bench", "m", f"--concurrency={levels}"])
    assert ended.exit_code == ExitCode.USAGE
    assert "expected numbers such as 1,4,16" in " ".join(ended.output.split())
