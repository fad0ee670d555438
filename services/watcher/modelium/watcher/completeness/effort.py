"""How much of this process' time one look at one model may take; pure.

Counted by what is done, not by a clock: the same files always end the same. What each step is
charged was measured on files made to be slow.
"""

from typing import Final

MOST_US: Final = 1_000_000.0
"""Real models take a tenth of it; the largest tokenizers and lists of tensors, a half."""
_JSON_STRING_US: Final = 0.26
_JSON_BYTE_US: Final = 0.005
_PARSED_BRACKET_US: Final = 1.0
"""Also bounds memory: each becomes a list or a dictionary."""
_PARSED_ITEM_US: Final = 0.45


class TooMuch(Exception):
    """More would have to be read than one look may."""


class Effort:
    """What is left for one model."""

    def __init__(self, most_us: float = MOST_US) -> None:
        self._left_us = most_us

    def spend(self, cost_us: float) -> None:
        """Before doing what takes so long; raises `TooMuch` if that is not left."""
        self._left_us -= cost_us
        if self._left_us < 0:
            raise TooMuch

    def scan_json(self, text: bytes) -> None:
        """Before looking whether it is closed."""
        self.spend(len(text) * _JSON_BYTE_US + text.count(b'"') / 2 * _JSON_STRING_US)

    def parse_json(self, text: bytes) -> None:
        """Before making objects of it."""
        brackets = text.count(b"[") + text.count(b"{")
        items = text.count(b":") + text.count(b",")
        self.spend(brackets * _PARSED_BRACKET_US + items * _PARSED_ITEM_US)
