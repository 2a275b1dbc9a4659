"""Scenes with images: a CT and its report are sent, looked at on the phone and at a desk, and then no more."""

import html
import re
from typing import TYPE_CHECKING

from simulator.demo import documents
from simulator.demo.cast import HospitalSystems

if TYPE_CHECKING:
    from simulator.demo.story import Story

_NODULE_MM = 9.0
_PICTURE = re.compile(r'id="picture" src="([^"]+)"')
_JPEG = {"Accept": "image/jpeg"}


def send_examination(story: "Story", systems: HospitalSystems) -> None:
    """The images by DICOMweb, the report by FHIR; the accession number says that they are one examination."""
    examination = documents.Examination(story.patient_number, story.hospital_a)
    images = examination.images(("CHEN^CESHI", "M", "19880808"), nodule_mm=_NODULE_MM)
    systems.send_images(images)
    middle = images[len(images) // 2]
    story.study = {
        "study": str(middle.StudyInstanceUID),
        "series": str(middle.SeriesInstanceUID),
        "instance": str(middle.SOPInstanceUID),
    }
    report = documents.as_json(examination.report(documents.found_nodule(_NODULE_MM)))
    fhir = {"Content-Type": "application/fhir+json"}
    story.stage.send("POST", "/fhir", token=systems.token, data=report, headers=fhir, expect=200)
    story.stage.say(
        f"胸部 CT（合成体模，{len(images)} 层）以 DICOMweb STOW-RS 上传，报告以 FHIR 上传：检查号相同，归为一次检查",
        "a CT by STOW-RS and its report by FHIR, joined by the accession number",
    )


def look_on_the_phone(story: "Story") -> None:
    """A link for one study, good once; the page with its first picture, and the report below it."""
    stage, phone = story.stage, story.phone
    items = phone.get("/api/v1/timeline")["items"]
    story.study_id = next(item["object_id"] for item in items if item["object_kind"] == "study")
    address = phone.post(f"/api/v1/studies/{story.study_id}/views", {}, expect=201)["address"]
    entered = stage.send("GET", address, expect=303)
    page = stage.send("GET", entered.headers["Location"], expect=200).text
    stage.check("右肺上叶" in page, "the report does not stand beside its images")
    picture = stage.send("GET", html.unescape(_PICTURE.findall(page)[0]), headers=_JPEG, expect=200).content
    stage.check(picture.startswith(b"\xff\xd8"), "not a JPEG")
    stage.say(
        f"影像在手机上打开：首幅 JPEG {len(picture)} 字节，报告就在下方",
        "the images on the phone: the first picture, with the report below it",
    )
    stage.send("GET", address, expect=404)
    stage.send("GET", f"{_page(story)}/standing", expect=401)
    stage.say("同一链接再用一次：拒绝，并关闭已打开的页面", "the link a second time: refused, and its page is closed")


def look_at_the_desk(story: "Story") -> None:
    """The same page for the doctor, with his name over every picture; and one frame as another system gets it."""
    stage, doctor = story.stage, story.doctor
    page = stage.send("GET", _page(story), token=doctor.token, expect=200).text
    name = re.findall(r'<p class="reader">(.+)</p>', page)
    stage.check(len(name) == 1 and story.hospital_b["name"] in name[0], f"whose eyes: {name}")
    jpeg = stage.send("GET", frame_path(story), token=doctor.token, headers=_JPEG, expect=200).content
    stage.say(
        f"医生阅片：画面标有“{name[0]}”，一帧 JPEG {len(jpeg)} 字节",
        "the doctor looks at the images: his name, house and the time stand over them",
    )


def look_no_more(story: "Story") -> None:
    """After the revoke: what a browser still holds may not be shown either."""
    path, missing = f"{_page(story)}/standing", "records.image_not_found"
    story.stage.refused("GET", path, token=story.doctor.token, code=missing, expect=404)


def frame_path(story: "Story") -> str:
    """A frame of the study as DICOMweb addresses it."""
    uids = story.study
    return f"/dicomweb/studies/{uids['study']}/series/{uids['series']}/instances/{uids['instance']}/frames/1/rendered"


def _page(story: "Story") -> str:
    return f"/view/{story.study_id}"
