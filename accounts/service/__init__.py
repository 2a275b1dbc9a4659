"""What other packages may ask of accounts."""

from accounts.service.adapters import find_client_house, list_terminal_ids, register_adapter_client
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
from accounts.service.logins import get_openid, identify_wechat, refresh_session, sign_in_login
from accounts.service.machines import issue_machine_token, register_client
from accounts.service.names import describe_actors
from accounts.service.sessions import end_session, identify_bearer
from accounts.service.staff import StaffCard, get_staff_card, hire_staff, sign_in_staff
from accounts.wechat import WechatIdentity
from accounts.wechat import exchange_code as exchange_wechat_code

__all__ = [
    "HospitalCard",
    "StaffCard",
    "WechatIdentity",
    "check_terminal",
    "describe_actors",
    "end_session",
    "enrol_terminal",
    "exchange_wechat_code",
    "find_client_house",
    "find_hospitals_by_code",
    "get_hospital",
    "get_openid",
    "get_staff_card",
    "hire_staff",
    "identify_bearer",
    "identify_mllp_port",
    "identify_wechat",
    "issue_machine_token",
    "list_hospitals",
    "list_mllp_ports",
    "list_terminal_ids",
    "list_terminals",
    "open_mllp_port",
    "refresh_session",
    "register_adapter_client",
    "register_client",
    "register_hospital",
    "sign_in_login",
    "sign_in_staff",
]
