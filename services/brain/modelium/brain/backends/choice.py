"""Which backend the settings name."""

from modelium.brain.backend import Backend
from modelium.brain.backends.openai import OpenAIBackend
from modelium.common.settings_brain import Brain, BrainBackend


def backend_of(settings: Brain) -> Backend | None:
    """None: only the rules advise."""
    match settings.backend:
        case BrainBackend.OPENAI:
            key = settings.api_key.get_secret_value() if settings.api_key else None
            return OpenAIBackend(
                endpoint=str(settings.endpoint), model=settings.model_name, api_key=key
            )
        case BrainBackend.RULES:
            return None
