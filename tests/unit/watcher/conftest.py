"""What the tests of the watcher share."""

from pathlib import Path

import pytest

from modelium.common.testing import FakeClock

from .system import System


@pytest.fixture
async def system(tmp_path: Path) -> System:
    """A watcher of an empty directory."""
    (tmp_path / "models").mkdir()
    return await System(tmp_path / "models", FakeClock()).start()
