"""Free memory: neither what the driver says nor what the ledger says may be exceeded."""

import pytest

from modelium.common.testing import a_device
from modelium.core.ledger import Holding, free_bytes

SLOT = "cpu-local-0"


@pytest.mark.parametrize(
    ("measured", "holdings", "expected"),
    [
        (100, [], 100),  # empty
        (30, [], 30),  # somebody else uses the device
        (60, [Holding("a.1", SLOT, 40, 40)], 60),  # resident as reserved: counted once
        (80, [Holding("a.1", SLOT, 40, 20)], 60),  # it may still take what it was promised
        (100, [Holding("a.1", SLOT, 40, starting=True)], 60),  # loading, nothing measured yet
        (90, [Holding("a.1", SLOT, 40, 10, starting=True)], 60),  # loading, partly there
        (65, [Holding("a.1", SLOT, 40)], 60),  # running, never measured: the driver sees it
        (45, [Holding("a.1", SLOT, 40, 55)], 45),  # holds more than promised: that counts
        (100, [Holding("a.1", "other", 40, 40)], 100),  # another device
        (10, [Holding("a.1", SLOT, 80, 20, starting=True)], 0),  # never below nothing
        (
            20,
            [Holding("a.1", SLOT, 40, 40), Holding("b.1", SLOT, 30, starting=True)],
            0,
        ),  # 30 of the ledger would be free, but the driver's 20 are promised to b
    ],
)
def test_free_is_the_smaller_of_driver_and_ledger(
    measured: int, holdings: list[Holding], expected: int
) -> None:
    device = a_device(total_bytes=100, free_bytes=measured)
    assert free_bytes(device, holdings) == expected
