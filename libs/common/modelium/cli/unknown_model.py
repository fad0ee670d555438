"""What the command says of a model that is not there."""

from collections.abc import Iterator
from contextlib import contextmanager

from modelium.cli.gateway_client import GatewayClient, Refused
from modelium.common.close_names import closest
from modelium.common.errors import DependencyUnavailable

CODE = "model_not_found"


def unknown_model(client: GatewayClient, model: str) -> Refused:
    """The refusal, with the name that may have been meant."""
    try:
        meant = closest(model, (page["model"] for page in client.models()))
    except (Refused, DependencyUnavailable):
        meant = None  # a key that may chat need not be one that may list
    guess = f" did you mean {meant!r}?" if meant is not None else ""
    return Refused(404, CODE, f"There is no model {model};{guess} see `modelium models`.")


@contextmanager
def in_our_words(client: GatewayClient, model: str) -> Iterator[None]:
    """Where the gateway knows no such model, its words are for programs that speak HTTP."""
    try:
        yield
    except Refused as refused:
        if refused.code != CODE:
            raise
        raise unknown_model(client, model) from refused
