"""What the report makes of windows."""

import pytest

from benchmarks.gateway import Row
from benchmarks.report import best, p99, plain_table, ratio, stream_table

WINDOWS = {
    "direct": [{"per_s": 900.0, "cpu_us": 0.0, "p50_ms": 0.1, "p99_ms": 0.2}],
    "nginx": [{"per_s": 500.0, "cpu_us": 14.0, "p50_ms": 0.2, "p99_ms": 0.3}],
    "ours": [
        {"per_s": 200.0, "cpu_us": 40.0, "p50_ms": 0.5, "p99_ms": 0.9},
        {"per_s": 250.0, "cpu_us": 45.0, "p50_ms": 0.4, "p99_ms": 1.9},
    ],
}


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("per_s", 250.0),  # the more the better
        ("cpu_us", 40.0),  # the less the better, also of another window
        ("p99_ms", 0.9),
    ],
)
def test_the_best_window_counts_for_each_figure(figure: str, expected: float) -> None:
    assert best(WINDOWS, "ours", figure) == expected


def test_a_figure_that_was_not_measured_is_a_dash() -> None:
    assert best(WINDOWS, "litellm", "per_s") is None
    assert ratio(None, 5.0) is None
    assert ratio(5.0, None) is None


def test_a_row_has_its_ratios_to_what_was_measured_beside_it() -> None:
    row = Row("ours", windows={"c=1": WINDOWS, "c=32": WINDOWS}, rss_bytes=83_000_000)
    [line] = plain_table([row]).splitlines()[2:]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == "40.0 (14.0)"
    assert cells[2] == "250 / 250 / -"
    assert cells[3] == "0.500 / 0.500 / -"
    assert cells[4] == "0.278"
    assert cells[8] == "0.30"


def test_a_peer_that_is_missing_has_a_row_with_the_reason() -> None:
    row = Row("vllm-router", missing="ERROR: no wheel for this machine")
    assert "not measured: ERROR: no wheel for this machine" in plain_table([row])
    assert "vllm-router" not in stream_table([row])


def test_every_row_of_a_table_is_as_wide_as_its_head() -> None:
    rows = [Row("ours", windows={"c=32": WINDOWS}), Row("litellm", missing="no")]
    assert len({line.count("|") for line in plain_table(rows).splitlines()}) == 1


def test_the_99th_percentile_is_a_value_that_was_measured() -> None:
    assert p99([1.0]) == 1.0
    assert p99([float(n) for n in range(100)]) == 99.0
