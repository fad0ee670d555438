"""Text classifiers of transformers: texts in, labels out."""

from typing import Any

import torch

from modelium.model_host.models.pretrained import classified, folder_of, labels_of, weights
from modelium.model_host.models.tokens import SAMPLE, TEXT, TOKENS, Tokens, load_tokens
from modelium.model_host.models.torch_tensors import prepare, running, to_numpy
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import BYTES, Tensors, TensorSpec


class TextClassifier:
    """A model with one score per class."""

    platform = "transformers_text_classification"
    sample = SAMPLE
    admit = None

    def __init__(self, model: Any, tokens: Tokens, device: torch.device) -> None:
        self.labels = labels_of(model.config)
        outputs = classifier_outputs(len(self.labels))
        self.signature = Signature((TEXT,), (*outputs, TOKENS))
        self._model = model
        self._tokens = tokens
        self._device = device

    def run(self, inputs: Tensors) -> Tensors:
        """See `Model`."""
        rows = self._tokens.of(inputs["text"], self._device)
        with running():
            logits = self._model(**rows).logits
            found = classified(logits, self._model.config, self.labels)
        return {**found, "tokens": to_numpy(rows["attention_mask"].sum(-1))}


def classifier_outputs(classes: int) -> tuple[TensorSpec, ...]:
    """What classifiers give."""
    return (
        TensorSpec("logits", "FP32", (-1, classes)),
        TensorSpec("probabilities", "FP32", (-1, classes)),
        TensorSpec("label", BYTES, (-1,)),
    )


def load(options: Options) -> TextClassifier:
    """Load a classifier; see `loading.load`."""
    folder = folder_of(options)
    device = prepare(options)
    from transformers import AutoModelForSequenceClassification

    model = weights(AutoModelForSequenceClassification, folder, device)
    return TextClassifier(model, load_tokens(folder, model), device)
