"""Windows that radiologists look through: centre and width in Hounsfield units, by body part. Only CT has such a scale.

The values are those in common use; PS3.18, section 8.3.5.1.4 writes them into an address.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """``window``: as the address carries it; empty for what the image itself asks for."""

    name: str
    window: str


_LUNG = Preset("肺窗", "-600,1500,linear")
_SOFT = Preset("纵隔窗", "40,400,linear")
_BONE = Preset("骨窗", "400,1800,linear")
_BRAIN = Preset("脑窗", "40,80,linear")
_ABDOMEN = Preset("腹部窗", "50,350,linear")
_AS_SENT = Preset("默认", "")

# Words of BodyPartExamined (PS3.16, annex L), most telling first.
_OF_PART = {
    "CHEST": (_LUNG, _SOFT, _BONE),
    "LUNG": (_LUNG, _SOFT, _BONE),
    "THORAX": (_LUNG, _SOFT, _BONE),
    "HEAD": (_BRAIN, _BONE, _SOFT),
    "BRAIN": (_BRAIN, _BONE, _SOFT),
    "SKULL": (_BONE, _BRAIN, _SOFT),
    "ABDOMEN": (_ABDOMEN, _BONE, _LUNG),
    "PELVIS": (_ABDOMEN, _BONE),
    "SPINE": (_BONE, _SOFT),
}
_OF_ANY = (_SOFT, _LUNG, _BONE, _BRAIN, _ABDOMEN)


def list_presets(modality: str, body_part: str | None) -> list[Preset]:
    """What can be chosen for a series; one alone when there is no choice."""
    if modality != "CT":
        return [_AS_SENT]
    words = (body_part or "").upper()
    fitting = next((presets for part, presets in _OF_PART.items() if part in words), _OF_ANY)
    return [_AS_SENT, *fitting]
