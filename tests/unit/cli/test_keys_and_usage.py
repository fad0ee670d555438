"""When a key ends, and how usage is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from modelium.cli.commands import app
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.keys import WrongUsage, create, expiry
from modelium.cli.usage import show_usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (None, None),
        ("30m", NOW + timedelta(minutes=30)),
        ("12h", NOW + timedelta(hours=12)),
        ("90d", NOW + timedelta(days=90)),
        ("8w", NOW + timedelta(weeks=8)),
        ("2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T12:00:00+02:00", datetime(2026, 6, 1, 10, tzinfo=UTC)),
    ],
)
def test_when_a_key_ends(text: str | None, ends: datetime | None) -> None:
    assert expiry(text, NOW) == ends


@pytest.mark.parametrize(
    "text",
    [
        *("", "d", "90", "90y", "-5d", "2025-01-01", "tomorrow"),
        "0d",  # over already
        *("999999w", "9999-12-31T23:00:00-12:00"),  # beyond the last year there is
    ],
)
def test_an_end_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"expected 30m, 12h, 90d, 8w, or a day to come"):
        expiry(text, NOW)


FIGURES = {
    "requests": 1200,
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "device_seconds": 1.25,
    "load_seconds": 0.0,
}


class Told(GatewayClient):
    """A gateway that answers with `report`."""

    def __init__(self, usage: list[dict[str, Any]]) -> None:
        super().__init__("http://gateway")
        self.asked: list[tuple[str, str]] = []
        self._report = {
            "first": "2026-01-01",
            "last": "2026-01-30",
            "usage": usage,
            "total": FIGURES,
        }

    def usage(self, query: Any) -> Any:
        self.asked = list(query)
        return self._report


@pytest.mark.parametrize("model", ["", " "])
def test_a_key_for_a_model_without_a_name_is_refused_before_anything_is_asked(model: str) -> None:
    with pytest.raises(WrongUsage, match="--model is empty: expected a model's name"):
        create(None, expires=None, as_json=False, organization="acme", models=("qwen", model))


def test_usage_is_a_table_with_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    client = Told([{"organization": "acme", "model": "qwen"} | FIGURES])
    filters = {"organization": "acme", "from": None, "to": "2026-01-30"}
    show_usage(client, ("organization", "model"), filters, as_json=False)
    days, titles, row, total = capsys.readouterr().out.splitlines()
    assert days == "2026-01-01 to 2026-01-30, days of UTC"
    assert titles.split()[:3] == ["ORGANIZATION", "MODEL", "REQUESTS"]
    assert row.split() == ["acme", "qwen", "1,200", "5", "7", "1.2", "0.0"]
    assert total.split() == ["total", "1,200", "5", "7", "1.2", "0.0"]
    assert client.asked == [
        ("organization", "acme"),
        ("to", "2026-01-30"),
        ("group_by", "organization"),
        ("group_by", "model"),
    ]


def test_no_usage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_usage(Told([]), ("key",), {}, as_json=False)
    assert "Nothing was used." in capsys.readouterr().out


def test_what_is_no_day_is_wrong_usage() -> None:
    ended = CliRunner().invoke(app, ["usage", "--from", "2026-13-01"])
    assert ended.exit_code == 2
    assert "'2026-13-01' is no day" in ended.output
