"""Every kind of notice has words, and none of them can say too much."""

import re
from datetime import UTC, datetime

import pytest

from core.ids import new_id
from health_card.notices import reading
from health_card.notices.models import Notice, NoticeKind
from health_card.notices.texts import LONGEST_THING, TEXTS


def test_every_kind_has_words() -> None:
    assert set(TEXTS) == set(NoticeKind)
    assert len({text.title for text in TEXTS.values()}) == len(TEXTS)


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_words_of_a_kind(kind: NoticeKind) -> None:
    text = TEXTS[kind]
    assert 0 < len(text.title) <= LONGEST_THING
    assert set(re.findall(r"{(\w*)", text.body)) <= {"hospital", "other_hospital", "terminal", "time"}
    notice = Notice(id=new_id(), kind=kind.value, facts={}, created_at=datetime(2026, 3, 1, 16, 5, tzinfo=UTC))
    written = reading._write(notice, {"hospital": None, "other_hospital": None})
    assert "{" not in written
    assert "None" not in written
    assert "{time}" not in text.body or "2026-03-02 00:05" in written, "times are the city's"
