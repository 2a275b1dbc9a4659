"""The DICOM JSON model (PS3.18, annex F)."""

from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

Dataset = dict[str, dict[str, Any]]


def to_dataset(**attributes: Any) -> Dataset:
    """Attributes by keyword. None means present but empty, a list is several values or the items of a sequence."""
    dataset: Dataset = {}
    for keyword, value in attributes.items():
        tag, vr = _lookup(keyword)
        dataset[tag] = {"vr": vr}
        if value is not None and value != []:
            dataset[tag]["Value"] = value if isinstance(value, list) else [value]
    return dict(sorted(dataset.items()))


@lru_cache(maxsize=256)
def _lookup(keyword: str) -> tuple[str, str]:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return f"{tag:08X}", dictionary_VR(tag)
