"""Decoders for what Pillow does not read: 12-bit and lossless JPEG, JPEG-LS, JPEG 2000 beyond the usual.

They hang into pydicom's table of decoders (``pydicom.pixels``, "decoder plugins") and are tried after its own ones.
"""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder

_DECODERS: dict[uid.UID, Callable[[bytes], Any]] = {
    uid.JPEGExtended12Bit: imagecodecs.jpeg8_decode,
    uid.JPEGLossless: imagecodecs.jpeg8_decode,
    uid.JPEGLosslessSV1: imagecodecs.jpeg8_decode,
    uid.JPEGLSLossless: imagecodecs.jpegls_decode,
    uid.JPEGLSNearLossless: imagecodecs.jpegls_decode,
    uid.JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    uid.JPEG2000: imagecodecs.jpeg2k_decode,
    uid.HTJ2KLossless: imagecodecs.htj2k_decode,
    uid.HTJ2KLosslessRPCL: imagecodecs.htj2k_decode,
    uid.HTJ2K: imagecodecs.htj2k_decode,
}
_NAME = "imagecodecs"


def is_available(transfer_syntax: str) -> bool:
    """What pydicom asks of a plugin."""
    return transfer_syntax in _DECODERS


def decode_frame(source: bytes, runner: Any) -> bytearray:
    """What pydicom calls: one encoded frame in, its samples out, by pixel and in the machine's byte order.

    :param runner: pydicom's ``DecodeRunner``; told how the samples really lie.
    """
    samples: np.ndarray[Any, Any] = np.ascontiguousarray(_DECODERS[runner.transfer_syntax](source))
    runner.set_option("bits_allocated", samples.dtype.itemsize * 8)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    return bytearray(samples.tobytes())


def install() -> None:
    """Hang the decoders in, once a process."""
    for transfer_syntax in _DECODERS:
        decoder = get_decoder(transfer_syntax)
        if _NAME not in decoder.available_plugins:
            decoder.add_plugin(_NAME, (__name__, decode_frame.__name__))
