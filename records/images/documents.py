"""Which instances say something in words: they are read when they have arrived, by the worker."""

from pydicom import uid

ARRIVED_TOPIC = "records.document_arrived"
KEY_SELECTION = str(uid.KeyObjectSelectionDocumentStorage)
ENCAPSULATED_PDF = str(uid.EncapsulatedPDFStorage)
# Structured reports that a person reads. Others (radiation dose, findings of programs, logs) are data for machines.
REPORTS = frozenset(
    str(sop_class)
    for sop_class in (
        uid.BasicTextSRStorage, uid.EnhancedSRStorage, uid.ComprehensiveSRStorage, uid.Comprehensive3DSRStorage,
        uid.ExtensibleSRStorage,
    )
)  # fmt: skip
CLASSES = REPORTS | {KEY_SELECTION, ENCAPSULATED_PDF}
