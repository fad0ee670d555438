"""`modelium up`: the whole system as processes of this machine.

Everything is checked before anything starts, and everything is stopped when something does not.
"""

from modelium.cli import greeting, leftovers, preflight
from modelium.cli.console import say, step, this_command
from modelium.cli.down import down
from modelium.cli.gateway_client import Refused
from modelium.cli.layout import Layout
from modelium.cli.local_system import LocalSystem, exclusively, prepare, start, start_in_order
from modelium.cli.waiting import Stopped, pause, stopped_by_signals
from modelium.common.addresses import without_password
from modelium.common.errors import DependencyUnavailable, ExitCode
from modelium.common.load_settings import Loaded

WATCH_INTERVAL_S = 1.0
STOPPED_ELSEWHERE = "  Everything was stopped from elsewhere."


def up(loaded: Loaded, layout: Layout, *, detach: bool, sample: bool) -> None:
    """Start everything and show that it works; then stay until a signal, unless `detach`."""
    with stopped_by_signals():
        system = prepare(loaded, layout)
        if system.supervisor.is_running():
            _resume(system)
            return
        with exclusively(layout):
            _sweep_leftovers(layout)
            layout.stopped.unlink(missing_ok=True)
            preflight.check_ports(system.programs)
            _run(system, detach=detach, sample=sample)


def _run(system: LocalSystem, *, detach: bool, sample: bool) -> None:
    """From here on, whatever ends this process ends all others, but for `detach`."""
    try:
        start(system)
        welcome(system, sample=sample)
        if detach:
            say(f"  It runs in the background; `{this_command()} down` (make down) stops it.")
            return
        say(f"  Ctrl-C stops everything; so does `{this_command()} down` (make down) elsewhere.")
        _watch(system)
    except Stopped as signal:
        down(system.layout, because=f"\n{signal}: stopping; once more stops at once")
    except BaseException:
        down(system.layout)
        if system.layout.stopped.exists():
            say(STOPPED_ELSEWHERE)
            raise SystemExit(ExitCode.OK) from None
        raise


def _resume(system: LocalSystem) -> None:
    """It runs already: start what is missing of it, and say so."""
    states = system.supervisor.states()
    missing = [p for p in system.programs if states.get(p.name) not in {"RUNNING", "STARTING"}]
    say("Modelium is already running here.")
    start_in_order(system, missing)
    show_addresses(system)
    say(f"  `{this_command()} status` shows more, `{this_command()} down` (make down) stops it.")


def _sweep_leftovers(layout: Layout) -> None:
    left = leftovers.marked(layout.run)
    if left:
        with step(f"{len(left)} processes of an earlier run are stopped"):
            leftovers.sweep(layout.run)


def welcome(system: LocalSystem, *, sample: bool) -> None:
    """Show that it works, where everything is, and what to do next."""
    colour = None
    try:
        then = _greet(system, sample=sample)
    except Refused as refusal:
        if refusal.status not in (401, 403):
            raise
        make = f"{this_command()} keys create --scope admin"
        then = f"It asks for keys: export MODELIUM_API_KEY=$({make})"
        colour = "yellow"
    show_addresses(system)
    if then:
        say(f"  {then}", colour)


def _greet(system: LocalSystem, *, sample: bool) -> str:
    """Have the sample answer, if there is nothing else; what to do next."""
    folder = system.settings.orchestration.model_discovery.watch_directories[0]
    if not greeting.is_empty(folder):
        return greeting.hint(system.client)
    if sample:
        greeting.greet(system.client, folder)
        return ""
    return f"{folder} is empty: cp -r a model there."


def show_addresses(system: LocalSystem) -> None:
    """Where everything is."""
    models = system.settings.orchestration.model_discovery.watch_directories
    say()
    say(f"  gateway  {system.client.url}  (OpenAI API: {system.client.url}/v1)", "bold")
    say(f"  page     {system.client.url}/ui  (for a browser)")
    say(f"  models   {', '.join(map(str, models))}  (drop a model's folder here)")
    say(f"  NATS     {without_password(system.settings.nats.url)}")
    say(f"  Redis    {without_password(system.settings.redis.url)}")
    say(f"  logs     {system.layout.logs}  (or `{this_command()} logs`)")


def _watch(system: LocalSystem) -> None:
    """Stay until a signal; tell when a process is given up, and end when all is over."""
    told: set[str] = set()
    while system.supervisor.is_running():
        given_up = {n for n, state in system.supervisor.states().items() if state == "FATAL"}
        for name in sorted(given_up - told):
            say(
                f"  {name} ends again and again and is given up: {this_command()} logs {name}",
                "red",
            )
        told = given_up
        pause(WATCH_INTERVAL_S)
    if leftovers.marked(system.layout.run):
        raise DependencyUnavailable("supervisord has ended", "Start again with `make up`.")
    say(STOPPED_ELSEWHERE)
