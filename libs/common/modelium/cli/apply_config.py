"""`modelium config apply`: the policies of a settings file, into the system that runs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modelium.cli.console import coloured, out, out_json, say
from modelium.cli.gateway_client import GatewayClient
from modelium.common.errors import ExitCode, ModeliumError
from modelium.common.load_settings import Loaded, load, load_with_origins
from modelium.common.policies import (
    DEFAULT,
    SECTION,
    TUNED,
    PoliciesReport,
    changes,
    is_variable,
)
from modelium.common.settings_policies import Policies

_BELOW: Final = f"{SECTION}."


class RestartNeeded(ModeliumError):
    """The file says other things that only a restart can change; nothing was applied."""

    exit_code = ExitCode.CONFIG

    def __init__(self, file: Path | None, keys: list[str]) -> None:
        super().__init__(
            f"{file}: only {SECTION} can be changed while Modelium runs. Since the orchestrator "
            f"was started these are others, too: {', '.join(keys)}. Nothing was applied: restart, "
            "or apply the policies alone with --policies-only."
        )


def apply_config(config: Path | None, *, dry_run: bool, policies_only: bool, as_json: bool) -> None:
    """Show what becomes another, and have it so.

    Raises:
        SettingsError: the file is wrong; nothing was asked of anybody.
        RestartNeeded: not with `policies_only`.
    """
    loaded = load_with_origins(config, file_only=True)
    client = GatewayClient.of(load(config))
    wanted = loaded.settings.orchestration.policies
    before = PoliciesReport.model_validate(client.policies())
    others = _others(loaded, before)
    if others and not policies_only:
        raise RestartNeeded(loaded.file, others)
    after = before if dry_run or _holds(wanted, before) else _apply(client, wanted)
    if as_json:
        out_json(_as_json(before, after, wanted, others, dry_run=dry_run))
        return
    _tell(loaded, wanted, before, after, dry_run=dry_run)
    if others:
        say(f"Not applied, as it needs a restart: {', '.join(others)}")


def _apply(client: GatewayClient, wanted: Policies) -> PoliciesReport:
    return PoliciesReport.model_validate(client.apply_policies(_named(wanted)))


def _named(wanted: Policies) -> dict[str, Any]:
    """Those that the file says something of: they are the operator's, and not tuned any more."""
    return wanted.model_dump(mode="json", exclude_unset=True)


def _holds(wanted: Policies, before: PoliciesReport) -> bool:
    """Whether there is nothing to do: it was applied, or they are in force without."""
    stored = before.applied == wanted or (before.applied is None and wanted == before.policies)
    its_own = all(before.origins[n] not in (DEFAULT, TUNED) for n in wanted.model_fields_set)
    return stored and its_own and not _expected(wanted, before)


def _others(loaded: Loaded, before: PoliciesReport) -> list[str]:
    """The keys outside the policies of which the file says something else than it did."""
    ours, theirs = _outside(loaded.file_digests), _outside(before.file_digests)
    return sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))


def _outside(digests: Mapping[str, str]) -> dict[str, str]:
    return {key: digest for key, digest in digests.items() if not key.startswith(_BELOW)}


def _overruled(wanted: Policies, report: PoliciesReport) -> dict[str, str]:
    """Policies that are set elsewhere, by the place."""
    return {
        name: report.origins[name]
        for name in changes(wanted, report.policies)
        if is_variable(report.origins[name])
    }


def _expected(wanted: Policies, before: PoliciesReport) -> dict[str, str]:
    """What an apply changes."""
    fixed = {n: getattr(before.policies, n) for n in _overruled(wanted, before)}
    return changes(before.policies, wanted.model_copy(update=fixed))


def _tell(
    loaded: Loaded,
    wanted: Policies,
    before: PoliciesReport,
    after: PoliciesReport,
    *,
    dry_run: bool,
) -> None:
    changed = _expected(wanted, before) if dry_run else changes(before.policies, after.policies)
    for name, change in changed.items():
        out(coloured(f"{_BELOW}{name}: {change}", "bold", sys.stdout))
    for name, place in _overruled(wanted, before if dry_run else after).items():
        say(f"{_BELOW}{name} stays as it is: {place} of the orchestrator's environment wins.")
    file = loaded.file or "no file, defaults"
    if not changed:
        say(f"{file}: no policy changes.")
    elif dry_run:
        say(f"{file}: this would change; nothing was applied.")
    else:
        say(f"{file}: applied, version {after.version}.")


def _as_json(
    before: PoliciesReport,
    after: PoliciesReport,
    wanted: Policies,
    others: list[str],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    changed = _expected(wanted, before) if dry_run else changes(before.policies, after.policies)
    return {
        "applied": not dry_run,
        "version": after.version,
        "changed": changed,
        "overruled": _overruled(wanted, before if dry_run else after),
        "needs_restart": others,
    }
