"""One image as numbers.

Refused with exit code 65: what Pillow cannot decode as PNG or JPEG, more than MOST_PIXELS, neither grey nor RGB,
or another shape than the data set's first image.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.errors import BadDataError

FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 4096 * 4096
MOST_BYTES = 64 * 1024 * 1024
COLOURS = {"L": 1, "RGB": 3}

# Ours is asked before a pixel is decoded, and is an error with a name instead of a warning.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class ImageShape:
    """Colours (1 is grey, 3 RGB), height and width."""

    colours: int
    height: int
    width: int

    @property
    def feature_count(self) -> int:
        return self.colours * self.height * self.width

    def __str__(self) -> str:
        return f"{self.width} x {self.height} in {'grey' if self.colours == 1 else 'RGB'}"


def decode_image(body: bytes, name: str) -> tuple[ImageShape, np.ndarray]:
    """Shapes: the pixels (colours * height * width,) uint8, one colour after the other, row by row.

    `name` is the shard and member, for the error. Raises: BadDataError.
    """
    if len(body) > MOST_BYTES:
        raise BadDataError(f"{name} has {len(body)} bytes", f"images may have {MOST_BYTES}")
    try:
        with Image.open(io.BytesIO(body), formats=FORMATS) as image:
            shape = _shape(image, name)
            pixels = np.asarray(image)
    except (BadDataError, MemoryError):
        raise
    except Exception as error:  # hostile bytes may raise anything: here it gets its name
        raise BadDataError(
            f"{name} is not readable as an image: {error}", f"write it again, as {' or '.join(FORMATS)}"
        ) from error
    return shape, pixels.reshape(shape.height, shape.width, shape.colours).transpose(2, 0, 1).ravel()


def _shape(image: Image.Image, name: str) -> ImageShape:
    if image.mode not in COLOURS:
        raise BadDataError(f"{name} has mode {image.mode}", "write it as grey (L) or RGB, without transparency")
    if image.width * image.height > MOST_PIXELS:
        raise BadDataError(f"{name} has {image.width} x {image.height} pixels", f"images may have {MOST_PIXELS}")
    return ImageShape(COLOURS[image.mode], image.height, image.width)
