"""What a process does without."""

import importlib
import sys

import pytest

from modelium.common.memory import without


def test_what_is_imported_does_without_a_module() -> None:
    with without("no_such_module_here"), pytest.raises(ImportError):
        importlib.import_module("no_such_module_here")
    assert "no_such_module_here" not in sys.modules


def test_what_somebody_has_already_is_left_alone() -> None:
    with without("json"):
        assert importlib.import_module("json") is sys.modules["json"]
    assert "json" in sys.modules
