"""Where a model's configs ask an engine to import code: from its folder, or from elsewhere."""

from collections.abc import Iterator
from typing import Any, Final

from modelium.common.errors import InvalidModel

_ASKS_FOR_CODE: Final = ("auto_map", "custom_pipelines", "model_file", "custom_generate")
_MODULES: Final = "modules.json"
_KNOWN_MODULES: Final = "sentence_transformers."


def require_no_own_code(config: Any, name: str) -> None:
    """Refuse a config, as it was parsed, that names code to be imported.

    Raises:
        InvalidModel: it does; the reason says where, and how it could be allowed.
    """
    for key, value in _everything(config):
        if key in _ASKS_FOR_CODE and value:
            raise _asks(name, key)
        if key == "trust_remote_code" and value is True:
            raise _asks(name, key)
        known = not isinstance(value, str) or value.startswith(_KNOWN_MODULES)
        if name.endswith(_MODULES) and key == "type" and not known:
            raise _asks(name, f"type: {str(value)[:80]}")


def _asks(name: str, key: str) -> InvalidModel:
    return InvalidModel(
        f"{name} asks to run code of its own ({key}), which Modelium does not, unless "
        "security.trust_remote_code lists this model"
    )


def _everything(config: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    ahead = [config]
    while ahead:
        value = ahead.pop()
        if isinstance(value, dict):
            yield from value.items()
            ahead += value.values()
        elif isinstance(value, list):
            ahead += value
