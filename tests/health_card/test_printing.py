"""Printed cards: what stands on them can be read by people and by scanners."""

import io
import secrets
from dataclasses import replace

import pypdfium2
import pytest
import zxingcpp
from PIL import ImageChops
from PIL.Image import Image

from core.typeface import MISSING
from health_card.codes import write_static
from health_card.printing.drawing import CARDS_A_PAGE, CardFace, draw_card, draw_sheets

ISSUER = "示范市卫生健康委员会"


def face(name: str = "测试居民甲", number: str | None = "110***********002X") -> CardFace:
    card_number = secrets.token_hex(32).upper()
    return CardFace(name, "01" if number else None, number, card_number, write_static(card_number, "DEMO0001"))


def pages(document: bytes) -> list[tuple[tuple[float, float], str, Image]]:
    """Size in points, text and picture of each page."""
    opened = pypdfium2.PdfDocument(io.BytesIO(document))
    try:
        return [
            (page.get_size(), page.get_textpage().get_text_bounded(), page.render(scale=3).to_pil()) for page in opened
        ]
    finally:
        opened.close()


def read_codes(picture: Image) -> set[str]:
    return {found.text for found in zxingcpp.read_barcodes(picture)}


def test_a_card_has_the_size_of_a_card_and_its_code_can_be_scanned() -> None:
    printed = face()
    ((size, text, picture),) = pages(draw_card(printed, ISSUER))
    assert size == pytest.approx((85.6 / 25.4 * 72, 53.98 / 25.4 * 72), abs=0.1)
    assert read_codes(picture) == {printed.code}
    for line in ("电子健康卡", ISSUER, "测试居民甲", "居民身份证", "110***********002X", printed.card_number[:8]):
        assert line in text
    assert printed.card_number not in text


def test_a_sheet_of_a4_has_ten_cards_each_with_its_own_code() -> None:
    printed = [face(f"测试居民{number}") for number in range(CARDS_A_PAGE + 1)]
    first, second = pages(draw_sheets(printed, ISSUER))
    assert first[0] == pytest.approx((595.3, 841.9), abs=0.1)
    assert read_codes(first[2]) == {each.code for each in printed[:CARDS_A_PAGE]}
    assert read_codes(second[2]) == {printed[-1].code}


@pytest.mark.parametrize(
    "name",
    ["测试喆堃", "欧阳㛃测试", "阿不都热合曼·买买提·测试甲", "JOHN SMITH TESTPERSON THE THIRD", "测试\U0002cb2d"],
)
def test_rare_characters_and_long_names_are_printed_within_the_card(name: str) -> None:
    printed = face()
    with_name, without = (pages(draw_card(replace(printed, name=shown), ISSUER))[0][2] for shown in (name, " "))
    drawn = differing_columns(with_name, without)
    assert drawn
    assert max(drawn) < with_name.width * 0.6, "the name runs into the code"


def test_a_character_that_the_font_has_not_is_seen_to_be_missing() -> None:
    printed = face()
    missing, substitute = (
        pages(draw_card(replace(printed, name=f"测试{shown}"), ISSUER))[0][2] for shown in ("\U00031350", MISSING)
    )
    assert missing.tobytes() == substitute.tobytes()


def test_a_newborn_without_a_certificate_has_a_card_too() -> None:
    ((_, text, _),) = pages(draw_card(face(number=None), ISSUER))
    assert "尚无" in text


def test_two_documents_do_not_share_their_fonts() -> None:
    for name in ("甲测试", "乙测试", "丙测试"):
        ((_, text, _),) = pages(draw_card(face(name=name), ISSUER))
        assert name in text


def differing_columns(one: Image, other: Image) -> list[int]:
    """Where in the left part, above the certificate, two pictures differ."""
    height = one.height // 2
    area = (0, 0, one.width, height)
    found = ImageChops.difference(one.crop(area), other.crop(area)).convert("L").getbbox()
    return list(range(found[0], found[2])) if found else []
