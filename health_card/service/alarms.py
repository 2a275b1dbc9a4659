"""What a person must be told at once about the codes of his card, and ending them."""

from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit
from core.actor import Actor
from health_card.models import CodeRedemption
from health_card.notices import service as notices
from health_card.notices.models import NoticeKind
from health_card.service.identities import same_person_ids
from health_card.service.living import end_shown_codes, record_codes_ended


def raise_replay_alarm(
    session: Session, actor: Actor, *, person_id: UUID, earlier: CodeRedemption, terminal_id: UUID
) -> None:
    """A code that was used at one terminal is shown at another: somebody has a copy of it.

    The person is told once a terminal; the refusal that follows keeps this.

    :param earlier: at a terminal.
    """
    assert earlier.terminal_id is not None
    first = accounts.get_terminal(session, earlier.terminal_id)
    second = accounts.get_terminal(session, terminal_id)
    told = notices.tell(
        session,
        person_id=person_id,
        kind=NoticeKind.CODE_REPLAYED,
        facts={
            "terminal": second.code,
            "other_terminal": first.code,
            "other_hospital_id": str(first.hospital_id),
        },
        hospital_id=second.hospital_id,
        of=("redemption", earlier.id),
        key=f"code_replayed:{earlier.id}:{terminal_id}",
    )
    if told is not None:
        audit.record_act(
            session,
            actor,
            "health_card.alarm.raised",
            subject_id=person_id,
            of=("redemption", earlier.id),
            facts={"alarm": NoticeKind.CODE_REPLAYED.value},
        )


def end_codes(session: Session, actor: Actor, *, person_id: UUID) -> None:
    """Make every dynamic code that was ever shown for the person's cards worthless, from the next scan on.

    The caller has decided that the actor may. A person whose records were merged may have several living cards.
    """
    for card in end_shown_codes(session, same_person_ids(person_id)):
        record_codes_ended(session, actor, card)
