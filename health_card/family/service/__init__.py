"""What other packages, and the edges of this one, may ask of the family."""

from health_card.family.service.desk import (
    DeskHolder,
    confirm_holder,
    list_holders_at_desk,
    refuse_holder,
)
from health_card.family.service.endings import end_run_out_holder, tell_of_fourteenth_birthday
from health_card.family.service.invitations import (
    Accepted,
    InvitationView,
    Invited,
    OpenInvitation,
    accept_invitation,
    invite,
    list_invitations,
    show_invitation,
    withdraw_invitation,
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
from health_card.family.service.visitors import Visitor, open_confirmed_look_up

__all__ = [
    "Accepted",
    "ActingForMe",
    "DeskHolder",
    "Family",
    "InvitationView",
    "Invited",
    "Member",
    "NewbornDetails",
    "OpenInvitation",
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
    "list_invitations",
    "open_confirmed_look_up",
    "refuse_holder",
    "register_newborn",
    "register_newborn_at_window",
    "show_invitation",
    "tell_of_fourteenth_birthday",
    "withdraw_invitation",
]
