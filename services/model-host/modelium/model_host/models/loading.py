"""Loads a model of any format that the host serves."""

import importlib
import logging
from typing import Final

from modelium.model_host.errors import CannotLoad
from modelium.model_host.models.model import Model
from modelium.model_host.options import Options

log = logging.getLogger(__name__)

_TENSOR_MODULES: Final = {"torchscript": "torchscript", "pt2": "exported", "onnx": "onnx"}
_TASK_MODULES: Final = {"vision": "images", "classify": "texts", "embedding": "embeddings"}


def load(options: Options) -> Model:
    """Read the model's files and put it on its device; takes seconds and blocks.

    Raises:
        CannotLoad: with the reason, on one line.
    """
    if not options.path.exists():
        raise CannotLoad(f"{options.path} does not exist")
    module = _TENSOR_MODULES.get(options.format) or _TASK_MODULES.get(options.task)
    if module is None:
        text = f"files of format {options.format} need a task of {', '.join(_TASK_MODULES)}"
        raise CannotLoad(f"{text}; {options.task!r} is none")
    # By name, so that only the libraries this model needs are imported.
    loader = importlib.import_module(f"modelium.model_host.models.{module}")
    model: Model = loader.load(options)
    log.info("loaded %s as %s", options.path.name, model.platform)
    return model
