"""`modelium config show`: every setting, what it is and where its value comes from."""

import sys
from pathlib import Path
from typing import Any

from modelium.cli.console import coloured, out, out_json
from modelium.cli.settings_list import Setting, settings_list, shown
from modelium.common.addresses import without_password
from modelium.common.load_settings import Loaded, load_with_origins


def show_config(config: Path | None, *, origin: bool, as_json: bool) -> None:
    """Print all settings as they would take effect here."""
    loaded = load_with_origins(config)
    values = loaded.settings.model_dump()
    if as_json:
        out_json([_as_json(setting, values, loaded) for setting in settings_list()])
        return
    out(f"file: {loaded.file or 'none'}")
    for setting in settings_list():
        _print(setting, _value(values, setting.key), loaded, origin=origin)


def _value(values: dict[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        found = found[part]
    return found


def _origin(setting: Setting, loaded: Loaded) -> str:
    """Where it is set; of several names below it, each its own place."""
    below = f"{setting.key}."
    places = {
        place
        for key, place in loaded.origins.items()
        if key == setting.key or key.startswith(below)
    }
    return ", ".join(sorted(places)) or "default"


def _print(setting: Setting, value: Any, loaded: Loaded, *, origin: bool) -> None:
    where = f"   # {_origin(setting, loaded)}" if origin else ""
    changed = _origin(setting, loaded) != "default"
    out()
    out(coloured(f"{setting.key}: {shown(value)}{where}", "bold" if changed else None, sys.stdout))
    kind = f"{setting.kind}, in {setting.unit}" if setting.unit else setting.kind
    text = f"    {setting.description} ({kind}; default {shown(setting.default)})"
    out(coloured(text, "dim", sys.stdout))


def _plain(value: Any) -> Any:
    return without_password(value) if isinstance(value, str) else value


def _as_json(setting: Setting, values: dict[str, Any], loaded: Loaded) -> dict[str, Any]:
    return {
        "key": setting.key,
        "value": _plain(_value(values, setting.key)),
        "default": setting.default,
        "unit": setting.unit,
        "type": setting.kind,
        "description": setting.description,
        "variable": setting.variable,
        "origin": _origin(setting, loaded),
    }
