"""Image classifiers of transformers: encoded images in, labels out."""

import base64
import binascii
import io
from typing import Any, Final

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from modelium.model_host.errors import InvalidInput, TooLarge
from modelium.model_host.models.pretrained import classified, folder_of, labels_of, weights
from modelium.model_host.models.texts import classifier_outputs
from modelium.model_host.models.torch_tensors import prepare, running
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import BYTES, Tensors, TensorSpec

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""What is decoded: formats whose decoders run no other program."""
_MAGIC: Final = (b"\xff\xd8", b"\x89PNG", b"RIFF", b"GIF8", b"BM")
_IMAGE: Final = TensorSpec("image", BYTES, (-1,))


class ImageClassifier:
    """A model with one score per class."""

    platform = "transformers_image_classification"

    def __init__(self, model: Any, processor: Any, device: torch.device, max_pixels: int) -> None:
        self.labels = labels_of(model.config)
        self.signature = Signature((_IMAGE,), classifier_outputs(len(self.labels)))
        self.sample: Tensors = {"image": np.array([_grey()], object)}
        self._model = model
        self._processor = processor
        self._device = device
        self._max_pixels = max_pixels

    def run(self, inputs: Tensors) -> Tensors:
        """See `Model`."""
        images = [decoded(value, self._max_pixels) for value in inputs["image"].tolist()]
        pixels = self._processor(images=images, return_tensors="pt")["pixel_values"]
        dtype = next(self._model.parameters()).dtype
        with running():
            logits = self._model(pixel_values=pixels.to(self._device, dtype)).logits
            return classified(logits, self._model.config, self.labels)


def decoded(value: bytes, max_pixels: int) -> Image.Image:
    """The image in a file's bytes, or in their base64, as RGB.

    Raises:
        HostError: 400 it is none, or broken; 413 it has more pixels than `max_pixels`.
    """
    data = value if value.startswith(_MAGIC) else _of_base64(value)
    try:
        # Opened is not yet decoded: the size is known before memory is taken for it.
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > max_pixels:
            text = f"the image has {image.width}x{image.height} pixels"
            raise TooLarge(f"{text}; at most {max_pixels} in all are taken")
        return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError as error:
        raise InvalidInput(f"an image is expected, one of {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidInput(f"the image is broken: {error}") from error


def _of_base64(value: bytes) -> bytes:
    text = value.partition(b",")[2] if value.startswith(b"data:") else value
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidInput("an image is expected, as the bytes of a file or as base64") from error


def _grey() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (127, 127, 127)).save(file, "PNG")
    return file.getvalue()


def load(options: Options) -> ImageClassifier:
    """Load a classifier; see `loading.load`."""
    folder = folder_of(options)
    device = prepare(options)
    Image.MAX_IMAGE_PIXELS = options.max_image_pixels
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    # Of the two kinds of processors this one needs no torchvision.
    processor = AutoImageProcessor.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, backend="pil"
    )
    model = weights(AutoModelForImageClassification, folder, device)
    return ImageClassifier(model, processor, device, options.max_image_pixels)
