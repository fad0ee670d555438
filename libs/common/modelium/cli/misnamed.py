"""Whether the settings name models that there are; only a system that runs can tell."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from modelium.cli.finding import Finding, Patient, Verdict
from modelium.cli.gateway_client import GatewayClient, Refused
from modelium.common.errors import DependencyUnavailable
from modelium.common.load_settings import Settings
from modelium.common.settings_brain import BrainBackend


def models_named(patient: Patient) -> Iterator[Finding]:
    """Names that are nobody's; nothing where no gateway answers, or this key may not ask it."""
    yield from nobodys(GatewayClient.of(patient.settings), patient.settings)


def nobodys(client: GatewayClient, settings: Settings) -> Iterator[Finding]:
    """As `models_named`, by this gateway.

    What is always loaded is as the system goes by it now. The language model is looked for only
    where it is to be served by this gateway.
    """
    try:
        system = client.status()
    except (DependencyUnavailable, Refused):
        return
    pages = system["models"]
    names = {str(page["model"]) for page in pages}
    for name in system.get("always_loaded_missing", ()):
        yield _misnamed(name, names, "orchestration.policies.always_loaded")
    brain = settings.modelium_brain
    own = str(brain.endpoint).startswith(f"{client.url}/")
    if not (own and brain.enabled and brain.backend is BrainBackend.OPENAI):
        return
    names |= {str(alias) for page in pages for alias in page.get("aliases", ())}
    if brain.model_name not in names:
        yield _misnamed(brain.model_name, names, "modelium_brain.model_name")


def _misnamed(name: str, known: Collection[str], setting: str) -> Finding:
    near = get_close_matches(name, sorted(known), n=1)
    meant = f"did you mean {near[0]!r}?" if near else "`modelium models` lists them"
    text = f"no model is named {name!r} ({setting})"
    return Finding("names", Verdict.WARNING, text, f"Correct it, or drop the model: {meant}")
