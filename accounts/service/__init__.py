"""What other packages may ask of accounts."""

from accounts.service.hospitals import (
    HospitalCard,
    check_terminal,
    enrol_terminal,
    find_hospitals_by_code,
    get_hospital,
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
from accounts.service.secrets import hash_secret, new_secret
from accounts.service.sessions import end_session, identify_bearer
from accounts.service.staff import StaffCard, get_staff_card, hire_staff, sign_in_staff

__all__ = [
    "HospitalCard",
    "StaffCard",
    "check_terminal",
    "describe_actors",
    "end_session",
    "enrol_terminal",
    "find_hospitals_by_code",
    "get_hospital",
    "get_openid",
    "get_staff_card",
    "hash_secret",
    "hire_staff",
    "identify_bearer",
    "identify_mllp_port",
    "issue_machine_token",
    "list_hospitals",
    "list_mllp_ports",
    "list_terminals",
    "new_secret",
    "open_mllp_port",
    "refresh_session",
    "register_client",
    "register_hospital",
    "sign_in_login",
    "sign_in_staff",
]
