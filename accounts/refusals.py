"""How accounts says no."""

from core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated, Unavailable


class WechatCodeInvalid(Unauthenticated):
    code = "accounts.wechat_code_invalid"
    title = "微信登录已失效,请重新进入小程序"
    detail = "WeChat does not accept this code (40029): used, expired or of another app. Call wx.login again."


class WechatUserBlocked(Unauthenticated):
    code = "accounts.wechat_user_blocked"
    title = "微信认为此账号存在风险,暂时无法登录"
    detail = "WeChat blocked this user (40226). Do not retry; the patient can go to a registration window."


class WechatTooOften(TooMany):
    code = "accounts.wechat_too_often"
    title = "登录过于频繁,请一分钟后再试"
    detail = "WeChat's quota for this user is used up (45011). Wait a minute and call wx.login again."
    headers = {"Retry-After": "60"}


class WechatUnavailable(Unavailable):
    code = "accounts.wechat_unavailable"
    title = "微信暂时没有应答,请稍后再试"
    detail = "WeChat is busy (-1) or does not answer. Call wx.login again in a few seconds."
    headers = {"Retry-After": "3"}


class RefreshTokenInvalid(Unauthenticated):
    code = "accounts.refresh_token_invalid"
    title = "登录已过期,请重新登录"
    detail = "Unknown, expired or ended refresh token. Sign in again."


class RefreshTokenReused(Unauthenticated):
    keeps_changes = True
    code = "accounts.refresh_token_reused"
    title = "登录存在异常,请重新登录"
    detail = "This refresh token was used before, so every token of its sign-in has ended. Sign in again."


class PasswordWrong(Unauthenticated):
    # The failed try stays in the audit trail.
    keeps_changes = True
    code = "accounts.password_wrong"
    title = "用户名或密码不正确"
    detail = "User name or password is wrong, or the account is disabled."


class SessionEnded(Unauthenticated):
    code = "accounts.session_ended"
    title = "登录已过期,请重新登录"
    detail = "The session or token has expired or was ended. Sign in or refresh again."


class ClientAssertionInvalid(Unauthenticated):
    """RFC 6749 section 5.2: ``invalid_client``."""

    code = "accounts.client_assertion_invalid"
    title = "系统接入凭证无效"
    detail = (
        "The client assertion does not hold: registered key (kid), algorithm EdDSA, ES256, ES384 or PS256, "
        "iss = sub = client_id, aud = the token address, exp at most 300 s after iat, a new jti."
    )


class GrantTypeUnsupported(Invalid):
    """RFC 6749 section 5.2: ``unsupported_grant_type``."""

    status = 400
    code = "accounts.grant_type_unsupported"
    title = "不支持的授权类型"
    detail = (
        "grant_type is client_credentials with a private_key_jwt client assertion for hospital systems, "
        "authorization_code or refresh_token for apps."
    )


class ScopeNotAllowed(Invalid):
    """RFC 6749 section 5.2: ``invalid_scope``."""

    status = 400
    code = "accounts.scope_not_allowed"
    title = "申请的权限超出范围"
    detail = "A scope was asked for that is not registered for this client."


class TerminalUnknown(Invalid):
    code = "accounts.terminal_unknown"
    title = "该终端未登记"
    detail = "This terminal code is not enrolled at the hospital of the signed-in staff, or is switched off."


class HospitalCodeTaken(Conflict):
    code = "accounts.hospital_code_taken"
    title = "该机构代码已登记"
    detail = "A hospital with this code exists."


class HospitalNotFound(NotFound):
    code = "accounts.hospital_not_found"
    title = "没有这家机构"
    detail = "No hospital with this id or code is admitted; look it up in the list of hospitals."


class BranchNotFound(NotFound):
    code = "accounts.branch_not_found"
    title = "没有这个院区"
    detail = "This hospital has no branch with this id; look it up with the hospital."


class BranchCodeTaken(Conflict):
    code = "accounts.branch_code_taken"
    title = "该院区代码已使用"
    detail = "This hospital has a branch with this code; choose another or change that one."


class DepartmentNotFound(NotFound):
    code = "accounts.department_not_found"
    title = "没有这个科室"
    detail = "This hospital has no department with this id; look it up with the hospital."


class DepartmentCodeTaken(Conflict):
    code = "accounts.department_code_taken"
    title = "该科室已登记"
    detail = "This hospital or branch has a department with this standard code; change that one."


class DepartmentCodeUnknown(Invalid):
    code = "accounts.department_code_unknown"
    title = "科室代码不在诊疗科目名录中"
    detail = "Use a 4-digit code of the national list of departments (医疗机构诊疗科目名录), for example 0304."


class DepartmentNotHere(Invalid):
    code = "accounts.department_not_here"
    title = "本院没有登记这个科室"
    detail = (
        "The hospital has departments of its own; use the code of one of them, see `departments`, or have the operator "
        "add this one to the hospital. A hospital that has registered none uses the whole national list."
    )


class TerminalNotFound(NotFound):
    code = "accounts.terminal_not_found"
    title = "没有这个终端"
    detail = "No terminal with this id is enrolled; look it up with its hospital."


class TerminalCodeTaken(Conflict):
    code = "accounts.terminal_code_taken"
    title = "该终端代码已使用"
    detail = "This hospital has a terminal with this code; choose another or use that one."


class FlagNotFound(NotFound):
    code = "accounts.flag_not_found"
    title = "没有这条待核查标记"
    detail = "No open flag with this id; it may have been cleared by somebody else."


class EnrolmentCodeInvalid(Unauthenticated):
    code = "accounts.enrolment_code_invalid"
    title = "登记码不正确或已失效"
    detail = "Unknown, used or expired enrolment code. It lives 10 minutes; ask the operator for a new one."


class TerminalKeyInvalid(Invalid):
    code = "accounts.terminal_key_invalid"
    title = "终端密钥不符合要求"
    detail = "The terminal's key must be a public JWK with alg ES256 (P-256) or EdDSA (Ed25519)."


class TerminalKeyTaken(Conflict):
    code = "accounts.terminal_key_taken"
    title = "此密钥已属于另一终端"
    detail = "Another terminal is enrolled with this key. Make a new key pair for each terminal."


class TerminalKeyMissing(Forbidden):
    code = "accounts.terminal_key_missing"
    title = "此终端尚未登记密钥"
    detail = "This hospital accepts scans from terminals with a key only. Enrol this terminal at /desk/enrol."


class TerminalProofMissing(Unauthenticated):
    code = "accounts.terminal_proof_missing"
    title = "无法确认是本终端在扫码"
    detail = "This terminal has a key, so every scan needs its proof in the DPoP header (RFC 9449)."
    headers = {"WWW-Authenticate": 'DPoP algs="ES256 EdDSA"'}


class TerminalProofInvalid(Unauthenticated):
    code = "accounts.terminal_proof_invalid"
    title = "无法确认是本终端在扫码"
    detail = (
        "The DPoP proof does not hold: the terminal's registered key, typ dpop+jwt, htm, htu, iat within 120 s, "
        "a new jti, ath of the session, code_hash of the scanned code."
    )
    headers = {"WWW-Authenticate": 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"'}


class StaffNotFound(NotFound):
    code = "accounts.staff_not_found"
    title = "没有这个账号"
    detail = "No staff account with this id that you look after; look it up in the list."


class UsernameTaken(Conflict):
    code = "accounts.username_taken"
    title = "该用户名已使用"
    detail = "A staff account with this user name exists; choose another."


class RolesExcludeEachOther(Conflict):
    code = "accounts.roles_exclude_each_other"
    title = "同一人不能兼任平台运营、安全管理和审计管理"
    detail = (
        "This employee number has an enabled account as operator, security administrator or audit administrator; "
        "a person holds one of the three. Disable that account first."
    )


class EmployeeNumberMissing(Invalid):
    code = "accounts.employee_number_missing"
    title = "请填写工号"
    detail = "An account of the platform itself needs the employee number of the person who holds it."


class OwnAccount(Conflict):
    code = "accounts.own_account"
    title = "不能停用或重置自己的账号"
    detail = "Nobody disables or resets the account that he is signed in with; ask a colleague of the same role."


class PasswordWeak(Invalid):
    code = "accounts.password_weak"
    title = "新密码不符合要求"
    detail = (
        "A password needs 12 to 256 characters, at least 6 different ones, must not contain the user name "
        "and must not be the one in use."
    )


class ClientNotFound(NotFound):
    code = "accounts.client_not_found"
    title = "没有这个接入系统"
    detail = "No machine client with this id is registered; look it up in the list."


class ClientIdTaken(Conflict):
    code = "accounts.client_id_taken"
    title = "该 client_id 已使用"
    detail = "A machine client with this client_id exists; choose another or replace the keys of that one."


class ClientKeysInvalid(Invalid):
    code = "accounts.client_keys_invalid"
    title = "公钥集不符合要求"
    detail = "The key set must be a JWK Set of public keys, each with kid and alg (EdDSA, ES256, ES384, PS256)."


class ScopeUnknown(Invalid):
    code = "accounts.scope_unknown"
    title = "没有这项接入权限"
    detail = "A scope was named that the platform does not know; see scopes in the documentation of systems."


class SigningKeyNotFound(NotFound):
    code = "accounts.signing_key_not_found"
    title = "没有这把可用的密钥"
    detail = "No living signing key with this kid or purpose; look it up in the list of keys."


class ConfirmationWrong(Invalid):
    code = "accounts.confirmation_wrong"
    title = "确认内容与密钥编号不一致"
    detail = "Type the kid of the key again to confirm; nothing was changed."


class CertificateUnreadable(Invalid):
    code = "accounts.certificate_unreadable"
    title = "证书无法识别"
    detail = "This is not an X.509 certificate; send one, as PEM or DER, without its private key."


class MllpPortNotOpen(NotFound):
    code = "accounts.mllp_port_not_open"
    title = "该机构没有 HL7 v2 端口"
    detail = "The hospital has no port of its own for HL7 v2; open one before a certificate is trusted at it."


class MllpPortTaken(Conflict):
    code = "accounts.mllp_port_taken"
    title = "该端口已属于另一机构"
    detail = "A port is one hospital's, for it says whose the messages are; choose another one."


class DicomPortNotOpen(NotFound):
    code = "accounts.dicom_port_not_open"
    title = "该机构没有影像端口"
    detail = "The hospital has no port of its own for images; open one before a certificate is trusted at it."


class DicomPortTaken(Conflict):
    code = "accounts.dicom_port_taken"
    title = "该端口已被占用"
    detail = "A port is one hospital's and takes one kind of messages; choose another one."


class DicomCertificateNotFound(NotFound):
    code = "accounts.dicom_certificate_not_found"
    title = "没有找到这张证书"
    detail = "The hospital's port for images has no trusted certificate with this fingerprint."


class DicomLastCertificate(Conflict):
    code = "accounts.dicom_last_certificate"
    title = "这是该影像端口最后一张证书,删除后端口将不再加密"
    detail = "Without a certificate the open port would speak in clear: trust the next one first, or close the port."


class CertificateExpired(Invalid):
    code = "accounts.certificate_expired"
    title = "证书已过期"
    detail = "The certificate's time is over; send one that is valid."


class MllpCertificateNotFound(NotFound):
    code = "accounts.mllp_certificate_not_found"
    title = "没有找到这张证书"
    detail = "The hospital has no trusted certificate with this fingerprint."


class MllpLastCertificate(Conflict):
    code = "accounts.mllp_last_certificate"
    title = "这是该端口最后一张证书,删除后端口将不再加密"
    detail = "Without a certificate the open port would speak in clear: trust the next one first, or close the port."
