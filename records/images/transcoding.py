"""A stored instance in another transfer syntax."""

import io

import pydicom
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from records.images import codecs
from records.images.details import NATIVE
from records.images.dicom import quietly
from records.images.service import InstanceFile
from records.refusals import ImageNotDecodable

# What an instance can be written in, whatever it was stored in.
SYNTAXES = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian), str(RLELossless))
# Pixels are transcoded in memory, and never lie on a disk in clear.
LARGEST_BYTES = 256 * 1024 * 1024
# Of a pixel, at most: three colours of 16 bits.
_PIXEL_BYTES = 6

codecs.install()


def can_transcode(file: InstanceFile) -> bool:
    """Whether the instance is small enough."""
    view = file.view
    pixels = (view.rows or 0) * (view.columns or 0) * view.frames * _PIXEL_BYTES
    return max(pixels, file.size_bytes) <= LARGEST_BYTES


def transcode(file: InstanceFile, syntax: str) -> bytes:
    """The instance in one of ``SYNTAXES``, under the UIDs that it has: what its pixels show does not change.

    :raises ImageNotDecodable: its pixels cannot be decoded, or not be written so.
    :raises FileDamaged: the file is missing or altered.
    """
    with file.open() as stream:
        content = stream.read()
    try:
        with quietly():
            found = pydicom.dcmread(io.BytesIO(content))
            _turn(found, UID(syntax))
            out = io.BytesIO()
            pydicom.dcmwrite(out, found, enforce_file_format=True)
            return out.getvalue()
    except Exception as error:
        # Whatever a decoder raises over a broken file means the same to who asks; its text may quote the file.
        raise ImageNotDecodable(reason="the instance cannot be written in another transfer syntax") from error


def _turn(found: pydicom.Dataset, syntax: UID) -> None:
    if "PixelData" in found:
        if found.file_meta.TransferSyntaxUID not in NATIVE:
            found.decompress(generate_instance_uid=False)
        elif found.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
            samples = found.pixel_array
            found.PixelData = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
        if syntax == RLELossless:
            found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            found.compress(RLELossless, generate_instance_uid=False)
            return
    found.file_meta.TransferSyntaxUID = syntax
