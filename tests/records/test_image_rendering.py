"""From stored values to the greys of a screen."""

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from records.images import render
from records.refusals import ImageNotDecodable
from tests.support import dicom, studies

Array = np.ndarray[Any, Any]
RAMP = np.repeat(np.linspace(0, 4095, 256).astype(np.uint16)[None, :], 64, axis=0)


def picture(values: Array, **attributes: Any) -> Array:
    """What a picture of these values looks like."""
    image = dicom.make_image()
    for keyword in ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "PixelPaddingValue"):
        if keyword in image:
            delattr(image, keyword)
    image.Rows, image.Columns = values.shape
    image.BitsAllocated = image.BitsStored = values.dtype.itemsize * 8
    image.HighBit = image.BitsStored - 1
    image.PixelRepresentation = int(values.dtype.kind == "i")
    image.PixelData = values.tobytes()
    if (padding := attributes.pop("PixelPaddingValue", None)) is not None:
        image.add_new("PixelPaddingValue", "SS", padding)
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    return shown(dicom.to_bytes(image))


def shown(content: bytes, frame: int = 1) -> Array:
    return np.asarray(Image.open(io.BytesIO(render.render_frame(io.BytesIO(content), frame=frame)))).astype(int)


def linear(values: Array, center: float, width: float) -> Array:
    """The formula of PS3.3, C.11.2.1.2.1, written as it stands there."""
    out = ((values - (center - 0.5)) / (width - 1) + 0.5) * 255
    out[values <= center - 0.5 - (width - 1) / 2] = 0
    out[values > center - 0.5 + (width - 1) / 2] = 255
    return out


def linear_exact(values: Array, center: float, width: float) -> Array:
    return np.clip((values - center) / width + 0.5, 0, 1) * 255


def sigmoid(values: Array, center: float, width: float) -> Array:
    return 255 / (1 + np.exp(-4 * (values - center) / width))


@pytest.mark.parametrize(
    ("function", "formula"), [("LINEAR", linear), ("LINEAR_EXACT", linear_exact), ("SIGMOID", sigmoid)]
)
@pytest.mark.parametrize(("center", "width"), [(2048, 4096), (1000, 400), (40, 2)])
def test_windows_are_the_standard_s(
    function: str, formula: Callable[[Array, float, float], Array], center: float, width: float
) -> None:
    seen = picture(RAMP, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    expected = formula(RAMP.astype(float), center, width)
    # JPEG blurs hard edges; away from them it is within a few greys.
    assert np.median(np.abs(seen - expected)) <= 2
    assert np.mean(np.abs(seen - expected)) <= 4


def test_rescale_comes_before_the_window() -> None:
    values = (RAMP.astype(int) - 1024).astype(np.int16)
    plain = picture(values, WindowCenter=0, WindowWidth=1000)
    rescaled = picture(RAMP, WindowCenter=0, WindowWidth=1000, RescaleSlope=1, RescaleIntercept=-1024)
    assert np.abs(plain - rescaled).max() <= 2


def test_monochrome1_is_white_where_the_values_are_small() -> None:
    normal = picture(RAMP, WindowCenter=2048, WindowWidth=4096)
    inverse = picture(RAMP, WindowCenter=2048, WindowWidth=4096, PhotometricInterpretation="MONOCHROME1")
    assert np.abs(255 - normal - inverse).max() <= 3


@pytest.mark.parametrize(
    "attributes", [{}, {"WindowCenter": 5, "WindowWidth": 0}, {"WindowCenter": "", "WindowWidth": ""}]
)
def test_without_a_window_the_values_themselves_give_it(attributes: dict[str, Any]) -> None:
    seen = picture(RAMP, **attributes)
    assert seen[:, :2].max() <= 10
    assert seen[:, -2:].min() >= 245


def test_padding_does_not_spoil_the_window() -> None:
    values = (RAMP.astype(int) // 40).astype(np.int16)
    values[:32] = -2000
    seen = picture(values, PixelPaddingValue=-2000)
    assert seen[40:, -8:].min() >= 240
    assert seen[40:, :8].max() <= 15


def test_a_picture_of_one_value_has_a_picture() -> None:
    assert picture(np.full((16, 16), 7, np.uint16)).shape == (16, 16)


def test_the_first_of_several_windows_is_used() -> None:
    one = picture(RAMP, WindowCenter=1000, WindowWidth=400)
    several = picture(RAMP, WindowCenter=[1000, 3000], WindowWidth=[400, 10])
    assert np.abs(one - several).max() == 0


def test_enhanced_objects_keep_their_window_in_functional_groups() -> None:
    window = pydicom.Dataset()
    window.WindowCenter, window.WindowWidth = 1000, 400
    group = pydicom.Dataset()
    group.FrameVOILUTSequence = [window]
    seen = picture(RAMP, PerFrameFunctionalGroupsSequence=[group])
    assert np.abs(seen - picture(RAMP, WindowCenter=1000, WindowWidth=400)).max() == 0


COLOURS = [
    "SC_rgb_rle.dcm",
    "SC_rgb_rle_16bit.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_gdcm_KY.dcm",
]


@pytest.mark.parametrize("name", COLOURS)
def test_one_colour_picture_in_every_encoding_looks_the_same(name: str) -> None:
    """These files hold the same bars: red at the top, white at the bottom."""
    seen = shown((dicom.SHIPPED / name).read_bytes())
    assert seen.shape == (100, 100, 3)
    red, white = seen[5, 50], seen[95, 50]
    assert red[0] > 200, red
    assert red[1:].max() < 60, red
    assert white.min() > 200, white


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_bigendian.dcm",
     "MR_small_implicit.dcm"],
)  # fmt: skip
def test_lossless_encodings_render_as_the_plain_one(name: str) -> None:
    plain = shown((dicom.SHIPPED / "MR_small.dcm").read_bytes())
    assert np.array_equal(shown((dicom.SHIPPED / name).read_bytes()), plain)


def test_twelve_bit_jpeg_and_palette_and_frames() -> None:
    assert shown((dicom.SHIPPED / "JPGExtended.dcm").read_bytes()).std() > 1
    palette = shown((dicom.SHIPPED / "examples_palette.dcm").read_bytes())
    assert palette.shape == (350, 800, 3)
    cine = (dicom.SHIPPED / "examples_ybr_color.dcm").read_bytes()
    assert not np.array_equal(shown(cine, 1), shown(cine, 30))


def test_what_cannot_be_decoded_is_refused_with_its_reason() -> None:
    with pytest.raises(ImageNotDecodable) as refused, warnings.catch_warnings():
        shown((dicom.SHIPPED / "MR_truncated.dcm").read_bytes())
    assert "cut off" in refused.value.members["reason"]
    with pytest.raises(ImageNotDecodable):
        shown((dicom.SHIPPED / "rtplan.dcm").read_bytes())


def test_colour_in_jpeg_2000_looks_as_it_does_plain() -> None:
    plain, packed = (shown((studies.COLLECTED / name).read_bytes()) for name in ("US1_UNCR.dcm", "US1_J2KR.dcm"))
    assert plain.shape == packed.shape == (480, 640, 3)
    assert np.ptp(plain, axis=2).max() > 50, "there is colour in it"
    assert np.abs(plain - packed).max() <= 2
