"""Who may do what: roles and scopes as sets of permissions (``package:thing:verb``)."""

from accounts.models import Role

# The resource types of FHIR R4 that are read, each with a permission and a scope of its own (SMART App Launch 2).
_FHIR_TYPES = (
    "AllergyIntolerance",
    "AuditEvent",
    "Condition",
    "Consent",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Immunization",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
    "Provenance",
    "ServiceRequest",
    "Specimen",
)
FHIR_READS = {name: f"records:fhir_{name.lower()}:read" for name in _FHIR_TYPES}
FHIR_SEARCHES = {name: f"records:fhir_{name.lower()}:search" for name in _FHIR_TYPES}

# What a patient can let an app read. Who looked, and who else may, is between the patient and the platform.
APP_TYPES = tuple(name for name in _FHIR_TYPES if name not in {"AuditEvent", "Consent", "Practitioner"})

# A Bundle: what is in it demands its own.
FHIR_BUNDLE = "records:fhir_bundle:send"

PATIENT_PERMISSIONS = frozenset(
    {
        FHIR_BUNDLE,
        *FHIR_READS.values(),
        *FHIR_SEARCHES.values(),
        "records:entry:read",
        "accounts:session:end",
        "health_card:card:apply",
        "health_card:card:read",
        "health_card:card:change",
        "health_card:login:end",
        "health_card:own_identity:verify",
        "health_card:change:read",
        "health_card:card:print",
        "health_card:code:show",
        "health_card:code:revoke",
        "health_card:notice:read",
        "health_card:pin:set",
        "health_card:confirmation:answer",
        "health_card:device:certify",
        "health_card:family:read",
        "health_card:family:change",
        "records:timeline:read",
        "records:timeline:hide",
        "records:report:read",
        "records:trend:read",
        "records:export:order",
        "records:export:read",
        "records:image:read",
        "records:study_view:ask",
        "records:study:copy",
        "records:visit:disown",
        "consent:grant:read",
        "consent:grant:open",
        "consent:grant:narrow",
        "consent:grant:revoke",
        "consent:access_log:read",
        "consent:policy:read",
        "consent:policy:change",
        "consent:access_request:read",
        "consent:access_request:answer",
        "consent:question:ask",
        "consent:question:read",
        "consent:app:answer",
        "consent:app:read",
        "consent:app:revoke",
        "consent:erasure:read",
        "consent:deletion:ask",
        "records:rectification:ask",
        "consent:share_link:make",
        "consent:share_link:read",
        "consent:share_link:change",
        "consent:share_link:revoke",
        "payments:credit_line:read",
        "payments:credit_line:open",
        "payments:repayment:create",
    }
)

_SIGNED_IN = frozenset({"accounts:session:end", "accounts:password:change"})

# All that an account may do whose password somebody else knows.
NEWCOMER_PERMISSIONS = _SIGNED_IN

_AT_A_DESK = frozenset(
    {
        "records:visit:open",
        "records:visit:close",
        "records:visit:list",
        "health_card:confirmation:ask",
        "health_card:offline_scan:submit",
    }
)

ROLE_PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.REGISTRAR: _SIGNED_IN
    | _AT_A_DESK
    | {
        "health_card:person:register",
        "health_card:person:look_up",
        "health_card:person:verify",
        "health_card:person:correct",
        "health_card:person_card:change",
        "health_card:person_card:print",
        "health_card:person_login:end",
        "health_card:person_pin:reset",
        "health_card:carrier:resolve",
        "health_card:carrier:bind",
        "health_card:holder:check",
        "payments:credit_line:sign_up",
        "records:quarantine:read",
        "records:quarantine:replay",
        "records:quarantine:assign",
        "records:quarantine:dismiss",
        "records:upload:manage",
        "records:code_mapping:manage",
    },
    Role.DOCTOR: _SIGNED_IN
    | _AT_A_DESK
    | {
        "consent:access_request:ask",
        "records:shared_timeline:read",
        "consent:received_grant:prove",
        "records:report:read",
        "records:trend:read",
        "records:entry:read",
        "records:correction:read",
        "records:rectification:answer",
        "records:order:read",
        "records:image:read",
        "records:held_item:release",
        "records:upload:manage",
        "recognition:order:check",
        "recognition:decision:record",
        "consent:emergency:open",
    },
    # The office that looks at what doctors have opened in emergencies; it treats nobody and sees no records.
    Role.MEDICAL_AFFAIRS: _SIGNED_IN
    | {
        "consent:emergency:read",
        "consent:emergency:review",
        "consent:house_erasure:read",
        "consent:question:answer",
        "records:emergency:count",
    },
    # Three roles, separated (三员分立): who runs the platform, who hands out rights and keys, who watches both.
    Role.OPERATOR: _SIGNED_IN
    | {
        "accounts:overview:read",
        "accounts:hospital:manage",
        "accounts:terminal:manage",
        "accounts:staff:manage",
        "records:quarantine:read",
        "records:item:read",
        "records:item:manage",
        "records:code_mapping:manage",
        "records:release_rule:manage",
        "records:quarantine:replay",
        "health_card:batch:manage",
        "health_card:card:count",
        "health_card:match:review",
        "health_card:person:merge",
        "records:quality:read",
        "records:quality:draw",
        "consent:erasure:oversee",
        "consent:deletion:check",
        "records:rectification:oversee",
        "consent:question:oversee",
        "records:retention:read",
    },
    Role.SECURITY_ADMINISTRATOR: _SIGNED_IN
    | {
        "accounts:overview:read",
        "accounts:administrator:manage",
        "accounts:client:manage",
        "accounts:app:manage",
        "accounts:signing_key:manage",
        "health_card:tencent_app:manage",
        "records:image_archive:manage",
        "consent:deletion:approve",
    },
    Role.AUDIT_ADMINISTRATOR: _SIGNED_IN
    | {
        "accounts:overview:read",
        "accounts:audit:read",
        "consent:emergency:read",
        "consent:emergency:oversee",
        "consent:question:oversee",
        "consent:question:conclude",
        "records:emergency:count",
        FHIR_READS["AuditEvent"],
        FHIR_SEARCHES["AuditEvent"],
    },
    # Who scores what others have drawn: an expert of imaging.
    Role.QUALITY_OFFICER: _SIGNED_IN | {"records:quality:read", "records:quality:score"},
}

_READS_ALL = frozenset({*FHIR_READS.values(), *FHIR_SEARCHES.values(), FHIR_BUNDLE, "consent:received_grant:prove"})

# SMART Backend Services scopes (system/...) and our own for what FHIR does not name.
SCOPE_PERMISSIONS: dict[str, frozenset[str]] = {
    "system/*.write": frozenset({"records:report:submit", "records:entry:submit", FHIR_BUNDLE}),
    "system/*.read": _READS_ALL,
    "system/*.rs": _READS_ALL,
    # As SMART App Launch 1 wrote it, and as 2 does.
    **{
        f"system/{name}.{verbs}": frozenset({read, FHIR_SEARCHES[name], FHIR_BUNDLE})
        for name, read in FHIR_READS.items()
        for verbs in ("read", "rs")
    },
    # Whoever stands at the hospital's window gets a record and a card: for its registration system alone.
    "system/Patient.write": frozenset({"health_card:patient:register", FHIR_BUNDLE}),
    "system/Patient.c": frozenset({"health_card:patient:register", FHIR_BUNDLE}),
    "dicomweb.write": frozenset({"records:image:submit"}),
    "billing.write": frozenset({"payments:charge:capture"}),
    # For a server that answers apps itself and has to know what their tokens are good for.
    "app_tokens.introspect": frozenset({"accounts:app_token:introspect"}),
    "quarantine.read": frozenset({"records:quarantine:read"}),
    "code_mappings.write": frozenset({"records:item:read", "records:code_mapping:manage"}),
    "quarantine.write": frozenset({"records:quarantine:replay", "records:quarantine:dismiss"}),
    "erasure.write": frozenset({"consent:erasure:answer"}),
    "access_questions.write": frozenset({"consent:question:answer"}),
    "patient_numbers.write": frozenset({"health_card:patient_number:bind"}),
}

# What comes in at a hospital's own MLLP port.
MLLP_PERMISSIONS = frozenset({"records:report:submit", "health_card:patient_number:bind"})

# What comes in at a hospital's own port for images.
DICOM_PERMISSIONS = frozenset({"records:image:submit"})

# What who holds an opened share link may do, at the addresses of its pages and nowhere else; the second only when the
# link lets its holder take copies.
LINK_PERMISSIONS = frozenset({"records:shared_page:read", "records:shared_page:take"})
VIEW_ONLY = LINK_PERMISSIONS - {"records:shared_page:take"}
