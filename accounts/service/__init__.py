"""What other packages may ask of accounts."""

from accounts.departments import DEPARTMENTS
from accounts.refusals import PasswordWrong
from accounts.roles import LINK_PERMISSIONS, VIEW_ONLY
from accounts.service.adapters import find_client_house, list_terminal_ids, register_adapter_client
from accounts.service.branches import check_department, list_departments, name_departments
from accounts.service.clients import register_client
from accounts.service.dicom_ports import (
    DicomLine,
    DicomPort,
    find_dicom_line,
    identify_dicom_port,
    list_dicom_lines,
    open_dicom_port,
)
from accounts.service.discovery import describe_sign_in
from accounts.service.hospitals import (
    HOSPITAL_NAME,
    HospitalCard,
    find_hospital_id,
    find_hospitals_by_code,
    get_hospital,
    list_hospitals,
    register_hospital,
)
from accounts.service.logins import (
    forget_login,
    get_openid,
    identify_wechat,
    list_openids,
    refresh_session,
    sign_in_login,
)
from accounts.service.machines import issue_machine_token
from accounts.service.mllp_ports import identify_mllp_port, list_mllp_ports, open_mllp_port
from accounts.service.names import Practitioner, StaffName, describe_actors, list_practitioners, name_staff
from accounts.service.oversight import AuditFilter, AuditLine, list_audit_entries
from accounts.service.personnel import confirm_password
from accounts.service.postings import find_departments
from accounts.service.secrets import hash_secret, new_secret
from accounts.service.sessions import (
    end_session,
    end_sessions_of_login,
    find_actor,
    identify_bearer,
    identify_login,
)
from accounts.service.signed import Signed, read_signed
from accounts.service.staff import StaffCard, get_staff_card, hire_staff, sign_in_staff
from accounts.service.terminal_keys import TerminalProof, check_terminal_proof
from accounts.service.terminals import (
    TerminalCard,
    check_terminal,
    enrol_terminal,
    flag_terminal,
    get_terminal,
    list_terminals,
    lock_terminal,
)
from accounts.wechat import MessageFate, WechatIdentity, send_message
from accounts.wechat import exchange_code as exchange_wechat_code

__all__ = [
    "DEPARTMENTS",
    "HOSPITAL_NAME",
    "LINK_PERMISSIONS",
    "VIEW_ONLY",
    "AuditFilter",
    "AuditLine",
    "DicomLine",
    "DicomPort",
    "HospitalCard",
    "MessageFate",
    "PasswordWrong",
    "Practitioner",
    "Signed",
    "StaffCard",
    "StaffName",
    "TerminalCard",
    "TerminalProof",
    "WechatIdentity",
    "check_department",
    "check_terminal",
    "check_terminal_proof",
    "confirm_password",
    "describe_actors",
    "describe_sign_in",
    "end_session",
    "end_sessions_of_login",
    "enrol_terminal",
    "exchange_wechat_code",
    "find_actor",
    "find_client_house",
    "find_departments",
    "find_dicom_line",
    "find_hospital_id",
    "find_hospitals_by_code",
    "flag_terminal",
    "forget_login",
    "get_hospital",
    "get_openid",
    "get_staff_card",
    "get_terminal",
    "hash_secret",
    "hire_staff",
    "identify_bearer",
    "identify_dicom_port",
    "identify_login",
    "identify_mllp_port",
    "identify_wechat",
    "issue_machine_token",
    "list_audit_entries",
    "list_departments",
    "list_dicom_lines",
    "list_hospitals",
    "list_mllp_ports",
    "list_openids",
    "list_practitioners",
    "list_terminal_ids",
    "list_terminals",
    "lock_terminal",
    "name_departments",
    "name_staff",
    "new_secret",
    "open_dicom_port",
    "open_mllp_port",
    "read_signed",
    "refresh_session",
    "register_adapter_client",
    "register_client",
    "register_hospital",
    "send_message",
    "sign_in_login",
    "sign_in_staff",
]
