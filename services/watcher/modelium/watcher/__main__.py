"""Starts the watcher."""

from modelium.common.bus import bind
from modelium.common.clock import Clock
from modelium.common.service import Shell, run
from modelium.common.settings import LauncherKind
from modelium.core.runtimes import enabled_runtimes
from modelium.watcher.filesystem import ModelFolders
from modelium.watcher.handlers import HANDLERS
from modelium.watcher.in_hand import InHand
from modelium.watcher.notify import Notifier
from modelium.watcher.safety import bubblewrap
from modelium.watcher.safety.sandbox import Sandbox
from modelium.watcher.watch import Watch


async def build(shell: Shell) -> None:
    """Watch the directories, and analyse what is discovered in them or named by others."""
    settings = shell.settings.orchestration.model_discovery
    sandbox = Sandbox(shell.settings.security, clock=shell.clock, bwrap=bubblewrap.find())
    await sandbox.prepare()
    folders = ModelFolders(
        settings.watch_directories,
        supported=settings.supported_extensions,
        read_by_others=shell.settings.runtime_agent.launcher is LauncherKind.DOCKER,
        analyst=sandbox,
        links_outside=settings.allow_links_outside,
    )
    await folders.prepare()
    watch = Watch(
        folders=folders, store=shell.store, bus=shell.bus, clock=shell.clock, settings=settings
    )
    handlers = bind(
        HANDLERS,
        files=folders,
        store=shell.store,
        bus=shell.bus,
        clock=shell.clock,
        enabled=enabled_runtimes(shell.settings.vllm, shell.settings.ray_serve),
        in_hand=InHand(shell.clock),
    )
    # Each has one message in hand for as long as its analysis takes.
    for number in range(shell.settings.security.analyses_at_once):
        shell.task(f"discoveries-{number}", shell.bus.consume("watcher", handlers))
    shell.task("watch", watch.run())
    if settings.file_events:
        notifier = Notifier(folders.roots, watch.wake)
        await shell.resources.enter_async_context(notifier)
        shell.task("file-events", _renew(notifier, shell.clock, settings.scan_interval_seconds))


async def _renew(notifier: Notifier, clock: Clock, interval_s: float) -> None:
    while True:
        await clock.sleep(interval_s)
        await notifier.renew()


if __name__ == "__main__":
    run("watcher", build)
