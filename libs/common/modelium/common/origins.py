"""Who asks for something, as messages name them."""

from typing import Final

BY_GATEWAY: Final = "gateway"
"""Who asks for a model that requests wait for: it counts only as long as they do."""
BY_CLIENT: Final = "client"
"""Who asks for a model that somebody will come back for."""
BY_ORCHESTRATOR: Final = "orchestrator"
"""Whose decisions are what is done; all others are advice."""
BY_OPERATOR: Final = "operator"
"""Who asked for a model by hand: a load that failed is tried again at once."""
