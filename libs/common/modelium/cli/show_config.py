"""`modelium config show`: every setting, what it is and where its value comes from.

The policies are those in force, where a gateway answers; all else is as it would take effect here.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelium.cli.console import coloured, out, out_json
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.settings_list import Setting, settings_list, shown
from modelium.common.addresses import without_password
from modelium.common.errors import ModeliumError, SettingsError
from modelium.common.load_settings import Loaded, load_with_origins
from modelium.common.policies import SECTION, PoliciesReport

ASK_S: Final = 2.0
"""A gateway that does not answer must not hold up a look at a file."""


@dataclass(frozen=True)
class _Shown:
    """All values, and where each is set."""

    values: dict[str, Any]
    origins: dict[str, str]
    about_policies: str


def show_config(config: Path | None, *, origin: bool, as_json: bool) -> None:
    """Print all settings."""
    loaded = load_with_origins(config)
    seen = _with_policies(loaded)
    if as_json:
        out_json([_as_json(setting, seen) for setting in settings_list()])
        return
    out(f"file: {loaded.file or 'none'}")
    out(seen.about_policies)
    for setting in settings_list():
        _print(setting, seen, origin=origin)


def _with_policies(loaded: Loaded) -> _Shown:
    values, origins = loaded.settings.model_dump(), dict(loaded.origins)
    client = GatewayClient.of(loaded.settings)
    try:
        report = PoliciesReport.model_validate(client.policies(timeout_s=ASK_S))
    except ModeliumError as error:
        why = str(error).partition("\n")[0]
        return _Shown(values, origins, f"{SECTION}: as they would take effect here. {why}")
    values["orchestration"]["policies"] = report.policies.model_dump()
    theirs = {f"{SECTION}.{name}": place for name, place in report.origins.items()}
    return _Shown(values, origins | theirs, f"{SECTION}: in force, as {client.url} says")


def _value(values: dict[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        found = found[part]
    return found


def _origin(setting: Setting, seen: _Shown) -> str:
    """Where it is set; of several names below it, each its own place."""
    below = f"{setting.key}."
    places = {
        place for key, place in seen.origins.items() if key == setting.key or key.startswith(below)
    }
    return ", ".join(sorted(places)) or "default"


def _print(setting: Setting, seen: _Shown, *, origin: bool) -> None:
    value, place = _value(seen.values, setting.key), _origin(setting, seen)
    where = f"   # {place}" if origin else ""
    changed = place != "default"
    out()
    out(coloured(f"{setting.key}: {shown(value)}{where}", "bold" if changed else None, sys.stdout))
    kind = f"{setting.kind}, in {setting.unit}" if setting.unit else setting.kind
    text = f"    {setting.description} ({kind}; default {shown(setting.default)})"
    out(coloured(text, "dim", sys.stdout))


def _plain(value: Any) -> Any:
    return without_password(value) if isinstance(value, str) else value


def _as_json(setting: Setting, seen: _Shown) -> dict[str, Any]:
    return {
        "key": setting.key,
        "value": _plain(_value(seen.values, setting.key)),
        "default": setting.default,
        "unit": setting.unit,
        "type": setting.kind,
        "description": setting.description,
        "variable": setting.variable,
        "origin": _origin(setting, seen),
    }


def check_config(config: Path | None, *, as_json: bool) -> None:
    """Say that all is right; raises `SettingsError` with every problem, which JSON has too."""
    try:
        loaded = load_with_origins(config)
    except SettingsError as wrong:
        if as_json:
            out_json({"file": str(config) if config else None, "problems": wrong.problems})
        raise
    count, file = len(loaded.origins), str(loaded.file) if loaded.file else None
    if as_json:
        out_json({"file": file, "settings": count, "problems": []})
        return
    said = f"{count} setting{'' if count == 1 else 's'}, all right"
    out(f"{file or 'no file, defaults'}: {said}")
