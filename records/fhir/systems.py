"""The identifier and code systems of the FHIR interface; documented in docs/interfaces/fhir.md."""

CARD = "urn:yimatong:id:health-card"
PATIENT_NUMBER = "urn:yimatong:id:patient-number"
# Followed by the certificate's type (WS 364.3 CV02.01.101), for example urn:yimatong:id:certificate:01.
CERTIFICATE = "urn:yimatong:id:certificate:"
VISIT = "urn:yimatong:id:visit"
REFUSAL = "urn:yimatong:refusal"

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
DIAGNOSTIC_SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"
ENCOUNTER_CLASS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
# The national list of departments, 4 digits.
DEPARTMENT = "urn:yimatong:code:department"
# What a grant is confined to: laboratory, imaging, condition ... as on the timeline.
ITEM_KIND = "urn:yimatong:code:item-kind"
# The hospital's organisation code.
HOSPITAL = "urn:yimatong:id:hospital"
# Our own id of a message that was taken in.
MESSAGE = "urn:yimatong:id:message"
# What was done, as the access log calls it.
ACT = "urn:yimatong:act"
# Before the system of an Observation's own identifier, where a report is made of it alone.
ALONE = "urn:yimatong:id:observation:"
