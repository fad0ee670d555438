"""Port: a model in memory."""

from collections.abc import Callable
from typing import Protocol

from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import Tensors


class Model(Protocol):
    """A model that was loaded. It is run by one thread at a time."""

    @property
    def platform(self) -> str:
        """What runs it, as the metadata of the protocol names it."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives; it does not change."""

    @property
    def sample(self) -> Tensors | None:
        """One row that it takes, for models whose signature does not say what is good input."""

    @property
    def admit(self) -> Callable[[Tensors], Tensors] | None:
        """What is run for a request's inputs, asked on any thread before they wait; None: as is.

        It raises HostError where they are beyond a limit of the whole request.
        """

    def run(self, inputs: Tensors) -> Tensors:
        """Its outputs, in their order, for inputs that fit the signature.

        Raises:
            HostError: the inputs are wrong in a way that the signature does not show, or there is
                no memory. Whatever else the library raises is a failure of the model.
        """
