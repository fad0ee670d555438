"""Which backend the settings name."""

from modelium.brain.backend import Backend
from modelium.brain.backends.openai import OpenAIBackend
from modelium.common.clock import Clock
from modelium.common.load_settings import Settings
from modelium.common.settings_brain import BrainBackend


def backend_of(settings: Settings, *, deadline_s: float, clock: Clock) -> Backend | None:
    """None: only the rules advise."""
    brain = settings.modelium_brain
    match brain.backend:
        case BrainBackend.OPENAI:
            key = brain.api_key.get_secret_value() if brain.api_key else None
            return OpenAIBackend(endpoint=str(brain.endpoint), model=brain.model_name, api_key=key)
        case BrainBackend.LOCAL:
            # Here, since nobody else has a use for what it imports.
            from modelium.brain.backends.local import LocalBackend

            return LocalBackend(
                python=brain.python or settings.vllm.python,
                model=brain.model_name,
                device=brain.device,
                deadline_s=deadline_s,
                clock=clock,
            )
        case BrainBackend.RULES:
            return None
