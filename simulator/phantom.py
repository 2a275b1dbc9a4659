"""A chest that nobody has: CT slices drawn by formulas, for a demo whose images are anybody's to copy.

Units are millimetres and Hounsfield units; x runs towards the left hand, y towards the back, z towards the head.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from math import cos, sin
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SLICES, SIZE = 24, 256
_FIELD, _THICKNESS = 380.0, 9.0
_AIR, _LUNG, _FAT, _MUSCLE, _HEART, _BONE, _MARROW, _NODULE = -1000, -860, -100, 45, 40, 620, 220, 35

Array = np.ndarray[Any, Any]
_AXIS: Array = (np.arange(SIZE) - SIZE / 2 + 0.5) * _FIELD / SIZE


def draw_chest(nodule_mm: float) -> Iterator[Array]:
    """The slices from the bottom up, as int16.

    :param nodule_mm: diameter of the round spot in the upper lobe of the right lung.
    """
    noise = np.random.default_rng(2026)
    for number in range(SLICES):
        z = (number - SLICES / 2 + 0.5) * _THICKNESS
        drawn = _Slice(z)
        drawn.body()
        drawn.chest()
        drawn.bones()
        height = (nodule_mm / 2) ** 2 - (z - 49.5) ** 2
        if height > 0:
            drawn.fill(-84, -22, height**0.5, height**0.5, _NODULE)
        yield np.clip(drawn.values + noise.normal(0, 14, drawn.values.shape), -1024, 3071).astype(np.int16)


class _Slice:
    """One height; ``values`` are what is drawn."""

    def __init__(self, z: float) -> None:
        self.z, self.values = z, np.full((SIZE, SIZE), float(_AIR))
        # Shoulders are wider than the belly.
        self.wide = 1 + 0.0006 * z

    def fill(self, x: float, y: float, across: float, deep: float, value: float, *, only: float | None = None) -> None:
        """An ellipse around (x, y) with these half axes; ``only``: where this value stands."""
        across, deep = max(across, 0.1), max(deep, 0.1)
        columns, rows = _pixels(x, across), _pixels(y, deep)
        inside = ((_AXIS[columns] - x) / across)[None, :] ** 2 + ((_AXIS[rows] - y) / deep)[:, None] ** 2 <= 1
        part = self.values[rows, columns]
        part[inside if only is None else inside & (part == only)] = value

    def body(self) -> None:
        """Skin, muscles, and two lungs that end in a dome below and a tip above, with their vessels."""
        self.fill(0, 0, 165 * self.wide, 112, _FAT)
        self.fill(0, 0, 150 * self.wide, 98, _MUSCLE)
        grown = max(0.0, 1 - (self.z / 112) ** 2) ** 0.5
        for side in (-1, 1):
            self.fill(side * 72, 2, 58 * grown + 1, 80 * grown + 1, _LUNG)
            for branch in range(9):
                # Outwards from the middle, thinner as they go, another way at each height.
                angle = branch * 0.71 + self.z * 0.045
                for far in range(9, 46, 9):
                    width = 4.2 - far / 15
                    at_x, at_y = side * (40 + far * abs(cos(angle))), 2 + 1.35 * far * sin(angle)
                    self.fill(at_x, at_y, width, width, _MUSCLE - 20, only=_LUNG)

    def chest(self) -> None:
        """Heart, great vessel and windpipe."""
        beats = max(0.0, 1 - ((self.z + 35) / 62) ** 2) ** 0.5
        self.fill(22, -18, 56 * beats, 46 * beats, _HEART)
        self.fill(16, 30, 13, 13, _HEART + 10)
        self.fill(0, 8, 9, 8, _AIR if self.z > 0 else _MUSCLE)

    def bones(self) -> None:
        """Spine, breastbone and ribs."""
        for x, y, across, deep in ((0, 68, 19, 16), (0, 92, 5, 12), (-20, 78, 14, 5), (20, 78, 14, 5)):
            self.fill(x, y, across, deep, _BONE)
            self.fill(x, y, across - 3, deep - 3, _MARROW)
        self.fill(0, 82, 8, 7, _MUSCLE - 15)
        self.fill(0, -92, 17, 6, _BONE)
        # Ribs run downwards from the spine: a slice meets each of them at another place.
        for place in range(7):
            angle = -1.15 + place * 0.42 + (self.z % 27) / 27 * 0.42
            for side in (-1, 1):
                self.fill(side * 139 * self.wide * cos(angle), 88 * sin(angle), 8, 5, _BONE)
                self.fill(side * 139 * self.wide * cos(angle), 88 * sin(angle), 5, 2.5, _MARROW)


def _pixels(middle: float, half: float) -> slice:
    """Those that lie within ``half`` of the middle."""
    first, last = np.searchsorted(_AXIS, (middle - half, middle + half))
    return slice(int(first), int(last) + 1)


def make_study(slices: Iterable[Array], at: datetime, description: str, **attributes: str) -> list[Dataset]:
    """The slices as the CT images (PS3.3, section A.3) of one study.

    :param attributes: of the patient and the examination, by keyword.
    """
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    images = []
    for number, pixels in enumerate(slices, 1):
        image = Dataset()
        image.SpecificCharacterSet, image.TimezoneOffsetFromUTC = "ISO_IR 192", f"{at:%z}"
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.StudyDate, image.StudyTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
        image.StudyDescription, image.SeriesDescription = description, "轴位 9.0mm（合成体模）"
        image.Modality, image.BodyPartExamined, image.Manufacturer = "CT", "CHEST", "Yimatong phantom"
        image.ImageType, image.SeriesNumber, image.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], 1, number
        image.PatientPosition, image.ImageOrientationPatient = "HFS", [1, 0, 0, 0, 1, 0]
        spacing, corner = _FIELD / SIZE, -_FIELD / 2
        image.PixelSpacing, image.SliceThickness = [spacing, spacing], _THICKNESS
        image.ImagePositionPatient = [corner, corner, (number - SLICES / 2) * _THICKNESS]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.Rows, image.Columns = pixels.shape
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "HU"
        image.WindowCenter, image.WindowWidth = -600, 1500
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        image.PixelData = pixels.tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = CTImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        images.append(image)
    return images
