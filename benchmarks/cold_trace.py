"""Draws the trace of a request for a cold model, as a collector received it. Run by `make trace`.

The engine is the stub; `--python` names an interpreter with vLLM, whose engine is then started.
Writes docs/trace.svg, or where `--to` says.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from modelium.cli.sample import write_sample_model
from modelium.common.settings import GIB, MIB
from tests.otlp import Received, otlp_receiver
from tests.system import ROOT, System, running, stub_python, wait_until

COLOURS: Final = {
    "gateway": "#0072b2",
    "orchestrator": "#e69f00",
    "runtime-agent": "#009e73",
    "registry": "#cc79a7",
}
"""Told apart by all (Okabe and Ito)."""
WAIT_S: Final = 400
"""A real engine may start slowly where others work too."""
WIDTH: Final = 980
NAMES: Final = 400
ROW: Final = 20
TOP: Final = 56
MARGIN: Final = 84
"""On the right, for how long the last ones took."""


def record(folder: Path, python: Path | None) -> list[Received]:
    """One cold request, from a system that has ended since."""
    engine = python or stub_python(folder, "--resident-mib", "400")
    settings: dict[str, Any] = {"gateway": {"queue_timeout_seconds": WAIT_S}}
    if python is None:
        settings["vllm"] = {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB}
    memory = 3 * GIB if python else 700 * MIB
    with otlp_receiver() as receiver:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint
        place = folder / "system"
        with running(place, engine_python=engine, slot_bytes=memory, settings=settings) as system:
            _ask(system)
    [root] = [span for span in receiver.spans if span.kind == "server"]
    return in_tree(receiver.of(root.trace_id))


def _ask(system: System) -> None:
    write_sample_model(system.folder / "sample")
    (system.folder / "sample").rename(system.models / "sample")
    known = {"state": "unloaded"}
    wait_until(
        "the model is known", lambda: known.items() <= (system.model("sample") or {}).items()
    )
    system.chat("sample", timeout_s=WAIT_S)


def in_tree(spans: Sequence[Received]) -> list[Received]:
    """Each after the one it is part of, as they began."""
    known = {span.span_id for span in spans}

    def below(parent: str) -> list[Received]:
        children = [span for span in spans if span.parent_id == parent]
        return [each for child in children for each in (child, *below(child.span_id))]

    roots = [span for span in spans if span.parent_id not in known]
    return [each for root in roots for each in (root, *below(root.span_id))]


def draw(spans: Sequence[Received], title: str) -> str:
    """A row for each span, with how long it took."""
    depths: dict[str, int] = {}
    for span in spans:
        depths[span.span_id] = depths.get(span.parent_id, -1) + 1
    first_ns = min(span.start_ns for span in spans)
    whole_ns = max(span.end_ns for span in spans) - first_ns
    scale = (WIDTH - NAMES - MARGIN) / whole_ns
    rows = [
        row
        for number, span in enumerate(spans)
        for row in _row(span, TOP + ROW * number, depths[span.span_id], first_ns, scale)
    ]
    height = TOP + ROW * len(spans) + 12
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            f' aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="12" y="20" font-size="14" font-weight="600">{escape(title)}</text>',
            *_legend(),
            *rows,
            "</svg>\n",
        )
    )


def _legend() -> list[str]:
    parts = []
    for number, (service, colour) in enumerate(COLOURS.items()):
        x = 12 + 130 * number
        parts.append(f'<rect x="{x}" y="31" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="40" fill="#57606a">{service}</text>')
    return parts


def _row(span: Received, y: int, depth: int, first_ns: int, scale: float) -> list[str]:
    colour = COLOURS[span.service.removeprefix("modelium-")]
    x = NAMES + (span.start_ns - first_ns) * scale
    width = max(1.5, (span.end_ns - span.start_ns) * scale)
    name = escape(span.name)
    row = [
        f'<text x="{12 + 14 * depth}" y="{y + 11}" fill="#1f2328">{name}</text>',
        f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="11" rx="1.5" fill="{colour}"/>',
        f'<text x="{x + width + 5:.1f}" y="{y + 11}" fill="#57606a">{_took(span)}</text>',
    ]
    if "first_token" in span.events:
        at = NAMES + (span.events["first_token"] - first_ns) * scale
        row.append(f'<path d="M{at:.1f} {y - 1}v17" stroke="#d55e00" stroke-width="2"/>')
        where = f'x="{at - 5:.1f}" y="{y + 11}" text-anchor="end"'
        row.append(f'<text {where} fill="#d55e00">first token</text>')
    return row


def _took(span: Received) -> str:
    took_ms = (span.end_ns - span.start_ns) / 1e6
    return f"{took_ms / 1000:.2f} s" if took_ms >= 1000 else f"{took_ms:.1f} ms"


def main() -> None:
    """Record one and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="interpreter that has vLLM")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "trace.svg")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spans = record(Path(folder), given.python)
    engine = "vLLM on a CPU" if given.python else "a stub in the place of vLLM"
    given.to.write_text(draw(spans, f"A request for a cold model, to its answer ({engine})"))
    print(f"{len(spans)} spans, {_took(spans[0])}: {given.to}")


if __name__ == "__main__":
    main()
