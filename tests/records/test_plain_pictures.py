"""A picture drawn by what was kept of it at arrival is the picture that its file shows."""

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from core.config import Config
from core.storage import Staging
from core.vault import vault
from records.images import plain_pictures, render
from records.images.details import METADATA_CONTEXT
from records.images.dicom import read_header
from records.images.render import AS_IT_IS, Look, Window
from records.images.service import InstanceFile, InstanceView
from tests.support import dicom

SHIPPED = ["CT_small.dcm", "MR_small.dcm", "rtdose.dcm", "SC_rgb.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm"]
PLAIN = {"CT_small.dcm", "MR_small.dcm"}
LOOKS = [AS_IT_IS, Look(window=Window(40, 400, "LINEAR")), Look(size=(50, 50), part=(1, 2, 20, -2))]
SAMPLES = {
    (bits, signed): np.random.default_rng(bits + signed)
    .integers(0, 2**bits, (7, 5), dtype=np.uint16)
    .astype(f"u{bits // 8}")
    for bits in (8, 16)
    for signed in (0, 1)
}


def made(values: Any, **attributes: Any) -> bytes:
    """A file with these stored values, and with attributes that say how they are shown."""
    image = dicom.make_image()
    image.Rows, image.Columns = values.shape
    image.BitsAllocated = image.BitsStored = values.dtype.itemsize * 8
    image.HighBit, image.PixelData = image.BitsStored - 1, values.tobytes() + bytes(values.size * values.itemsize % 2)
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    return dicom.to_bytes(image)


def check_same(content: bytes, frame: int = 1) -> bool:
    """Whether it is plain; if so, it looks as the file does."""
    with Staging() as staging:
        staged = staging.new_file()
        staged.write(content)
        staged.finish()
        file = kept(content, staged.keep(), staged.wrapped_key)
        for look in LOOKS:
            expected = render.render_frame(io.BytesIO(content), frame=frame, look=look)
            assert render.render_instance(file, frame=frame, look=look) == expected
        return plain_pictures.read_plain(file, frame) is not None


def kept(content: bytes, storage_key: str, data_key: bytes) -> InstanceFile:
    header = read_header(io.BytesIO(content))
    view = InstanceView(
        header.sop_instance_uid,
        header.sop_class_uid,
        header.transfer_syntax_uid,
        None,
        header.rows,
        header.columns,
        header.frames,
    )
    assert header.details.metadata is not None
    sealed = vault().unwrap(data_key).seal_bytes(header.details.metadata, context=METADATA_CONTEXT)
    return InstanceFile(
        header.series_instance_uid, view, b"", len(content), storage_key, data_key, sealed, header.details.frames
    )


@pytest.fixture(autouse=True)
def _stores(app: Any, config: Config) -> None:
    """Files are kept where the configuration says."""


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_look_the_same(name: str) -> None:
    with open(str(get_testdata_file(name, download=False)), "rb") as stream:
        content = stream.read()
    assert check_same(content) is (name in PLAIN)


@pytest.mark.parametrize(("bits", "signed"), SAMPLES)
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"BitsStored": 7, "HighBit": 6},
        {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": [20, 90], "WindowWidth": [100, 5]},
        {"RescaleSlope": "0.5", "RescaleIntercept": "-7.25", "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": "10", "WindowWidth": "0", "PresentationLUTShape": "INVERSE"},
    ],
)
def test_plain_pictures_look_the_same(bits: int, signed: int, attributes: dict[str, Any]) -> None:
    assert check_same(made(SAMPLES[bits, signed], PixelRepresentation=signed, **attributes))


@pytest.mark.parametrize(
    "attributes",
    [
        {"HighBit": 3},
        {"BitsStored": 6, "HighBit": 7},
        {"SharedFunctionalGroupsSequence": [pydicom.Dataset()]},
        {"VOILUTSequence": [pydicom.Dataset()]},
    ],
)
def test_what_is_not_plain_is_left_to_its_file(attributes: dict[str, Any]) -> None:
    content = made(SAMPLES[8, 0], PixelRepresentation=0, **attributes)
    with Staging() as staging:
        staged = staging.new_file()
        staged.write(content)
        staged.finish()
        file = kept(content, staged.keep(), staged.wrapped_key)
        assert plain_pictures.read_plain(file, 1) is None


def test_frames_of_one_file_are_told_apart() -> None:
    values = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)
    content = made(values.reshape(12, 6), Rows=4, NumberOfFrames=3, PixelRepresentation=0)
    assert all(check_same(content, frame) for frame in (1, 2, 3))
