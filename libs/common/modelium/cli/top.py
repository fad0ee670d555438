"""`modelium top`: devices, models and requests as they are now, drawn anew as they change."""

import json
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from modelium.cli import event_stream
from modelium.cli.console import STATE_COLOURS, out, out_json, out_table
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.live_state import LiveState
from modelium.cli.top_rows import (
    DEVICE_TITLES,
    MODEL_TITLES,
    device_rows,
    model_rows,
    summary,
)
from modelium.cli.waiting import Stopped, stopped_by_signals
from modelium.common.errors import DependencyUnavailable

QUIT = (b"q", b"Q", b"")
"""The last is the end of input."""
KEY_POLL_S = 0.2


def top(client: GatewayClient, *, once: bool, as_json: bool) -> None:
    """Show the state; without `once` until q or a signal.

    In place on a terminal; elsewhere a picture, or with `as_json` a line, for every change.
    """
    if once:
        _show_once(client, as_json=as_json)
        return
    on_terminal = sys.stdout.isatty() and not as_json
    try:
        with stopped_by_signals(), _quit_by_key() if on_terminal else nullcontext():
            if on_terminal:
                _draw(client)
            else:
                _print_all(client, as_json=as_json)
    except Stopped:
        return


def _show_once(client: GatewayClient, *, as_json: bool) -> None:
    state = LiveState()
    for event in client.events("/live"):
        if state.apply(event):
            if as_json:
                out_json(state.as_json())
            else:
                _print(state, client.url)
            return
    raise DependencyUnavailable(f"{client.url} says nothing of its state", "See `modelium doctor`.")


def _print_all(client: GatewayClient, *, as_json: bool) -> None:
    for number, state in enumerate(_states(client)):
        if as_json:
            out(json.dumps(state.as_json()))
            continue
        if number:
            out()
        _print(state, client.url)


def _states(client: GatewayClient) -> Iterator[LiveState]:
    state = LiveState()
    for event in event_stream.follow(client, lambda _: "/live"):
        if state.apply(event):
            yield state


def _print(state: LiveState, url: str) -> None:
    out(summary(state, url))
    out()
    out_table(DEVICE_TITLES, device_rows(state))
    out()
    out_table(MODEL_TITLES, model_rows(state))


def _draw(client: GatewayClient) -> None:
    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        for state in _states(client):
            live.update(picture(state, client.url), refresh=True)


def picture(state: LiveState, url: str) -> Group:
    """All of it, as wide as the terminal."""
    return Group(
        Text(summary(state, url), style="bold", no_wrap=True),
        _table(DEVICE_TITLES, device_rows(state)),
        _table(MODEL_TITLES, model_rows(state)),
        Text("q or Ctrl-C quits", style="dim"),
    )


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    for row in rows:
        # As text: names and reasons are not rich's markup.
        table.add_row(*(Text(cell, style=STATE_COLOURS.get(cell, "")) for cell in row))
    return table


@contextmanager
def _quit_by_key() -> Iterator[None]:
    """Let q be what Ctrl-C is, as far as there are keys."""
    if not sys.stdin.isatty():
        yield
        return
    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    done = threading.Event()
    reader = threading.Thread(target=_watch_keys, args=(keys, done))
    tty.setcbreak(keys)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


def _watch_keys(keys: int, done: threading.Event) -> None:
    main = threading.main_thread().ident
    while not done.is_set() and main is not None:
        if select.select([keys], [], [], KEY_POLL_S)[0] and os.read(keys, 1) in QUIT:
            signal.pthread_kill(main, signal.SIGINT)
            return
