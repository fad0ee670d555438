"""Options of the commands that replay traces; bounds keep what is no number of use from hanging."""

from pathlib import Path
from typing import Annotated

import typer

Traces = Annotated[
    list[Path],
    typer.Argument(
        metavar="TRACE",
        help="CSV with t_s,model,dur_s, gzipped or not; or `generated`: made up by --seed.",
        show_default=False,
    ),
]
Devices = Annotated[int, typer.Option(min=1, help="How many simulated devices there are.")]
DeviceGb = Annotated[float, typer.Option(min=0.001, max=1e6, help="Memory of each device, in GB.")]
HostGb = Annotated[
    float,
    typer.Option(
        min=0, max=1e6, help="Host memory in which Modelium's engines may sleep, in GB; 0: none do."
    ),
]
Hours = Annotated[
    float | None,
    typer.Option(
        min=0.001, max=1e5, help="Only the first hours of each trace; left out: all of it."
    ),
]
Seed = Annotated[
    int,
    typer.Option(help="Draws the sizes of models that --needs does not name, and `generated`."),
]
Needs = Annotated[
    Path | None,
    typer.Option(
        "--needs", help="CSV with model,gb,load_s: what models need, as `record` writes it."
    ),
]
