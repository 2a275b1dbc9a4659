"""How reading a document among the images says no. What is refused here is kept whole in quarantine."""

from core.errors import Invalid


class DocumentNotUnderstood(Invalid):
    keeps_changes = True
    code = "records.document_not_understood"
    title = "影像中的报告文档无法识别,已转入待处理"
    detail = (
        "A structured report, key object selection or PDF among the images does not say what PS3.3 asks of it; see "
        "`reason`. The object itself is filed with its study; no report was made of it."
    )

    def __init__(self, reason: str) -> None:
        """:param reason: what is wrong, without anything that the document says."""
        super().__init__(reason=reason)
