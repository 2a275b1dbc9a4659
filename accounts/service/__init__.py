"""What other packages may ask of accounts."""

from accounts.service.hospitals import (
    HospitalCard,
    TerminalCard,
    check_terminal,
    enrol_terminal,
    find_hospitals_by_code,
    get_hospital,
    get_terminal,
    identify_mllp_port,
    list_hospitals,
    list_mllp_ports,
    list_terminals,
    open_mllp_port,
    register_hospital,
)
from accounts.service.logins import get_openid, refresh_session, sign_in_login
from accounts.service.machines import issue_machine_token, register_client
from accounts.service.names import describe_actors
from accounts.service.sessions import end_session, identify_bearer
from accounts.service.staff import StaffCard, get_staff_card, hire_staff, sign_in_staff
from accounts.wechat import MessageFate, send_message

__all__ = [
    "HospitalCard",
    "MessageFate",
    "StaffCard",
    "TerminalCard",
    "check_terminal",
    "describe_actors",
    "end_session",
    "enrol_terminal",
    "find_hospitals_by_code",
    "get_hospital",
    "get_openid",
    "get_staff_card",
    "get_terminal",
    "hire_staff",
    "identify_bearer",
    "identify_mllp_port",
    "issue_machine_token",
    "list_hospitals",
    "list_mllp_ports",
    "list_terminals",
    "open_mllp_port",
    "refresh_session",
    "register_client",
    "register_hospital",
    "send_message",
    "sign_in_login",
    "sign_in_staff",
]
