"""What other packages, and the edges of this one, may ask of the family."""

from health_card.family.service.desk import (
    DeskHolder,
    Visitor,
    confirm_holder,
    list_holders_at_desk,
    refuse_holder,
)
from health_card.family.service.endings import end_run_out_holder, recheck_guardians
from health_card.family.service.invitations import (
    Accepted,
    InvitationView,
    Invited,
    accept_invitation,
    invite,
    show_invitation,
)
from health_card.family.service.members import (
    ActingForMe,
    Family,
    Member,
    add_relative,
    leave,
    list_family,
)
from health_card.family.service.newborns import (
    NewbornDetails,
    give_certificate,
    register_newborn,
    register_newborn_at_window,
)

__all__ = [
    "Accepted",
    "ActingForMe",
    "DeskHolder",
    "Family",
    "InvitationView",
    "Invited",
    "Member",
    "NewbornDetails",
    "Visitor",
    "accept_invitation",
    "add_relative",
    "confirm_holder",
    "end_run_out_holder",
    "give_certificate",
    "invite",
    "leave",
    "list_family",
    "list_holders_at_desk",
    "recheck_guardians",
    "refuse_holder",
    "register_newborn",
    "register_newborn_at_window",
    "show_invitation",
]
