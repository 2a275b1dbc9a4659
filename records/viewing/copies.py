"""Copies of a study to take away, written as a ZIP while they are sent: never on a disk, never whole in memory.

Before each instance it is asked again whether it may go out. Where not, the ZIP ends there, without its directory.
"""

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO

import pydicom
import pylopdf_fonts_zh_cn
from PIL import Image, ImageDraw, ImageFont

from core import clock
from core.pages import city_time
from core.storage import CHUNK_BYTES
from records.dicomweb.standing import MayGo
from records.images import render
from records.images.dicom import quietly
from records.images.service import InstanceFile
from records.viewing.deidentifying import NewNames, copy_without_person, is_without_writing

MOST_FRAMES = 500
# The earliest time that a ZIP can hold: when an image was made stands in the image, where it may stand.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_QUALITY = 90
_OWN = "这是您的影像，请妥善保管。JPEG 图片仅供参阅，不能用于诊断。\r\n"
_SHARED = (
    "本副本用于交给他人：已去除姓名、号码、日期、机构等信息，编号已更换。\r\n"
    "画面中可能写有个人信息的图像（超声、截屏、翻拍等）和报告类文件不在其中。\r\n"
    "面部等身体特征仍可能从断层图像重建，请只交给您信任的人。\r\n"
)

# What goes into the ZIP: under which name, of which instance, and what opens it; None: it is left out.
Part = tuple[str, InstanceFile, Callable[[], IO[bytes] | None]]


def write_originals(files: list[InstanceFile], may_go: MayGo) -> Iterator[bytes]:
    """Every instance byte for byte as the hospital sent it."""
    return _write_zip([(f"{name}.dcm", file, file.open) for name, file in _named(files)], _OWN, may_go)


def write_shared_originals(files: list[InstanceFile], may_go: MayGo) -> Iterator[bytes]:
    """The pictures as DICOM, without anything that says whose they are."""
    names = NewNames()
    pictures = [
        (f"{name}.dcm", file, partial(_open_shared, file, names)) for name, file in _named(files) if file.view.rows
    ]
    return _write_zip(pictures, _SHARED, may_go)


def write_pictures(files: list[InstanceFile], may_go: MayGo, *, shared: bool) -> Iterator[bytes]:
    """Every frame as JPEG, of one instance at most 500.

    :param shared: only those that name nobody, each with a mark that says what it is.
    """
    mark = f"分享副本 {city_time(clock.now())} 不能用于诊断" if shared else None
    frames = [
        (f"{name}-{frame:03d}.jpg", file, partial(_draw, file, frame, mark))
        for name, file in _named(files)
        if file.view.rows
        for frame in range(1, min(file.view.frames, MOST_FRAMES) + 1)
    ]
    return _write_zip(frames, _SHARED if shared else _OWN, may_go)


def write_mark(picture: bytes, text: str) -> bytes:
    """The JPEG with a line of text on a dark strip below it, so that nothing of the picture is covered."""
    image = Image.open(io.BytesIO(picture))
    size = max(12, image.width // 40)
    marked = Image.new(image.mode, (image.width, image.height + 2 * size))
    marked.paste(image, (0, 0))
    font = ImageFont.truetype(str(pylopdf_fonts_zh_cn.sans_path()), size)
    white = 255 if image.mode == "L" else (255, 255, 255)
    ImageDraw.Draw(marked).text((size // 2, image.height + size // 3), text, fill=white, font=font)
    out = io.BytesIO()
    marked.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _named(files: list[InstanceFile]) -> Iterator[tuple[str, InstanceFile]]:
    """Names by place alone: identifiers would lead back to the hospital. In their form as PS3.10 wants names."""
    series = list(dict.fromkeys(file.series_instance_uid for file in files))
    for number, uid in enumerate(series, 1):
        for position, file in enumerate((one for one in files if one.series_instance_uid == uid), 1):
            yield f"IMAGES/S{number:04d}/I{position:05d}", file


def _open_shared(file: InstanceFile, names: NewNames) -> IO[bytes] | None:
    with file.open() as stream, quietly():
        image = pydicom.dcmread(stream)
        return io.BytesIO(copy_without_person(image, names)) if is_without_writing(image) else None


def _draw(file: InstanceFile, frame: int, mark: str | None) -> IO[bytes] | None:
    if mark is not None:
        with file.open() as stream, quietly():
            if not is_without_writing(pydicom.dcmread(stream, stop_before_pixels=True)):
                return None
    picture = render.render_instance(file, frame=frame, look=render.Look(quality=_QUALITY))
    return io.BytesIO(write_mark(picture, mark) if mark else picture)


def _write_zip(parts: Sequence[Part], about: str, may_go: MayGo) -> Iterator[bytes]:
    sink, left_out = _Sink(), 0
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as packed:
        for name, file, opened in parts:
            if not may_go(file):
                return
            source = _try(opened)
            if source is None:
                left_out += 1
                continue
            with source, packed.open(zipfile.ZipInfo(name, _NO_TIME), "w", force_zip64=True) as entry:
                while piece := source.read(CHUNK_BYTES):
                    entry.write(piece)
                    yield sink.take()
        told = about + (f"未包含 {left_out} 幅：不能去除个人信息，或无法读取、显示。\r\n" if left_out else "")
        packed.writestr(zipfile.ZipInfo("README.TXT", _NO_TIME), told.encode("utf-8-sig"))
    yield sink.take()


def _try(opened: Callable[[], IO[bytes] | None]) -> IO[bytes] | None:
    """What breaks is left out and counted: the others shall still be had."""
    try:
        return opened()
    except Exception:  # Whatever a broken file makes the parser raise means the same; its text may quote the file.
        return None


class _Sink(io.RawIOBase):
    """Where the ZIP is written to, and taken from piece by piece."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        size = len(self._pending)
        self._pending += piece  # type: ignore[arg-type]  # the Buffer protocol has no name before 3.12
        return len(self._pending) - size

    def take(self) -> bytes:
        taken = bytes(self._pending)
        self._pending.clear()
        return taken
