"""Image classifiers of transformers: encoded images in, labels out."""

import base64
import binascii
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """Of one image, and of all images of a request."""

    of_image: int
    of_request: int


class ImageClassifier:
    """A model with one score per class."""

    platform = "transformers_image_classification"

    def __init__(
        self, model: Any, processor: Any, device: torch.device, limits: PixelLimits
    ) -> None:
        self.labels = labels_of(model.config)
        self.signature = Signature((_IMAGE,), classifier_outputs(len(self.labels)))
        self.sample: Tensors = {"image": np.array([_grey()], object)}
        self._model = model
        self._processor = processor
        self._device = device
        self._limits = limits

    def admit(self, inputs: Tensors) -> Tensors:
        """The files in their bytes, once all of them together have no more pixels than they may."""
        files = [file_of(value) for value in inputs["image"].tolist()]
        if not files:
            raise InvalidInput("input 'image' has no rows; an image is expected")
        require_pixels(files, self._limits)
        images = np.empty(len(files), object)
        images[:] = files
        return {"image": images}

    def run(self, inputs: Tensors) -> Tensors:
        """See `Model`."""
        # One after the other: of a batch of photographs only what the model sees is held.
        pixels = torch.cat([self._seen(value) for value in inputs["image"].tolist()])
        dtype = next(self._model.parameters()).dtype
        with running():
            logits = self._model(pixel_values=pixels.to(self._device, dtype)).logits
            return classified(logits, self._model.config, self.labels)

    def _seen(self, value: bytes) -> torch.Tensor:
        image = decoded(value, self._limits.of_image)
        pixels: torch.Tensor = self._processor(images=[image], return_tensors="pt")["pixel_values"]
        return pixels


def decoded(value: bytes, max_pixels: int) -> Image.Image:
    """The image in a file's bytes, or in their base64, as RGB.

    Raises:
        HostError: 400 it is none, or broken; 413 it has more pixels than `max_pixels`.
    """
    with _reading():
        return ImageOps.exif_transpose(_opened(file_of(value), max_pixels)).convert("RGB")


def require_pixels(files: Iterable[bytes], limits: PixelLimits) -> None:
    """Raises HostError where `decoded` would, or the images have too many pixels together."""
    pixels = 0
    for file in files:
        with _reading():
            image = _opened(file, limits.of_image)
        pixels += image.width * image.height
    if pixels > limits.of_request:
        text = f"the images of this request have {pixels} pixels"
        raise TooLarge(f"{text}; at most {limits.of_request} in all are taken")


def _opened(file: bytes, max_pixels: int) -> Image.Image:
    """Not yet decoded: its size is known before memory is taken for it."""
    image = Image.open(io.BytesIO(file), formats=FORMATS)
    if image.width * image.height > max_pixels:
        text = f"the image has {image.width}x{image.height} pixels"
        raise TooLarge(f"{text}; at most {max_pixels} are taken")
    return image


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError as error:
        raise InvalidInput(f"an image is expected, one of {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidInput(f"the image is broken: {error}") from error


def file_of(value: bytes) -> bytes:
    """The bytes of a file, which are given as they are or in their base64."""
    return value if value.startswith(_MAGIC) else _of_base64(value)


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
    return ImageClassifier(
        model, processor, device, PixelLimits(options.max_image_pixels, options.max_pixels)
    )
