"""Who may do what: roles and scopes as sets of permissions (``package:thing:verb``)."""

from accounts.models import Role

PATIENT_PERMISSIONS = frozenset(
    {
        "accounts:session:end",
        "health_card:card:apply",
        "health_card:card:read",
        "health_card:code:show",
        "health_card:code:revoke",
        "health_card:notice:read",
        "records:timeline:read",
        "records:report:read",
        "records:image:read",
        "records:visit:disown",
        "consent:grant:read",
        "consent:grant:revoke",
        "consent:access_log:read",
        "payments:credit_line:read",
        "payments:credit_line:open",
        "payments:repayment:create",
    }
)

_SIGNED_IN = frozenset({"accounts:session:end"})

ROLE_PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.REGISTRAR: _SIGNED_IN | {"records:visit:open", "records:visit:close", "records:visit:list"},
    Role.DOCTOR: _SIGNED_IN
    | {
        "records:visit:open",
        "records:visit:close",
        "records:visit:list",
        "records:shared_timeline:read",
        "records:report:read",
        "records:image:read",
        "recognition:order:check",
        "recognition:decision:record",
    },
    Role.OPERATOR: _SIGNED_IN | {"records:quarantine:read"},
}

# SMART Backend Services scopes (system/...) and our own for what FHIR does not name.
SCOPE_PERMISSIONS: dict[str, frozenset[str]] = {
    "system/*.write": frozenset({"records:report:submit"}),
    "dicomweb.write": frozenset({"records:image:submit"}),
    "billing.write": frozenset({"payments:charge:capture"}),
    "quarantine.read": frozenset({"records:quarantine:read"}),
    "patient_numbers.write": frozenset({"health_card:patient_number:bind"}),
}

# What comes in at a hospital's own MLLP port.
MLLP_PERMISSIONS = frozenset({"records:report:submit"})
