"""What the tests of an agent share."""

from pathlib import Path

import pytest

from tests.integration.sleepers import a_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a model."""
    return a_model(tmp_path)
