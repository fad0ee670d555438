"""Colours, tables and steps."""

import io

import pytest

from modelium.cli import console
from modelium.cli.console import coloured, harmless, out_table, step
from modelium.cli.show import size
from modelium.common.testing import FakeClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_appear_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    assert coloured("x", "red", io.StringIO()) == "x"


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("x", "red", Terminal()) == "x"


def test_what_others_say_cannot_command_a_terminal() -> None:
    said = "\x1b]0;owned\x07 \x1b[2Jgone\r \x9b1A \x1b[32mgreen\x1b[0m\ttab"
    shown = "\\x1b]0;owned\\x07 \\x1b[2Jgone\\x0d \\x9b1A \x1b[32mgreen\x1b[0m\ttab"
    assert harmless(said, Terminal()) == shown
    assert harmless(said, io.StringIO()) == said


def test_a_table_is_as_wide_as_its_widest_cells(capsys: pytest.CaptureFixture[str]) -> None:
    out_table(("MODEL", "STATE"), [("a-long-name", "loaded"), ("b", "error")])
    assert capsys.readouterr().out.splitlines() == [
        "MODEL        STATE",
        "a-long-name  loaded",
        "b            error",
    ]


def test_a_table_without_rows_shows_its_titles(capsys: pytest.CaptureFixture[str]) -> None:
    out_table(("MODEL", "STATE"), [])
    assert capsys.readouterr().out == "MODEL  STATE\n"


async def test_a_step_tells_how_it_ended_and_how_long_it_took(
    capsys: pytest.CaptureFixture[str], clock: FakeClock
) -> None:
    with step("nats", "ready", clock) as shown:
        shown.note("state=loading")
        shown.note("state=loading")
        await clock.advance(2.5)
    assert capsys.readouterr().err == "  nats ...\n    state=loading\n  nats ... ready, 2.5 s\n"


def test_a_step_that_raises_has_failed(
    capsys: pytest.CaptureFixture[str], clock: FakeClock
) -> None:
    with pytest.raises(ValueError, match="no"), step("nats", "ready", clock):
        raise ValueError("no")
    assert capsys.readouterr().err == "  nats ... failed, 0.0 s\n"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (3 << 30, "3.0 GiB"),
        (5 << 50, "5120.0 TiB"),
    ],
)
def test_sizes_are_written_for_people(number: int, text: str) -> None:
    assert size(number) == text


def test_the_colours_of_states_exist() -> None:
    assert set(console.STATE_COLOURS.values()) <= console.CODES.keys()
