"""How a hospital's archive can fail us, and us registering it."""

from core.errors import Invalid, NotFound, Unavailable


class ArchiveAddressUnfit(Invalid):
    code = "records.archive_address_unfit"
    title = "影像系统地址不可用"
    detail = (
        "The address must be https://host[:port]/path, without name, password, query or fragment, and lead to no "
        "address of the platform's own machine; 127.0.0.1 is taken, also by http, outside production only."
    )


class ArchiveNotFound(NotFound):
    code = "records.archive_not_found"
    title = "该机构未登记影像系统"
    detail = "No archive in use is registered for this hospital; the security administrator registers it."


class ArchiveUnavailable(Unavailable):
    code = "records.archive_unavailable"
    title = "医院影像系统暂时无法访问,请稍后再试"
    detail = "The archive of the hospital that keeps this image does not answer; ask again after Retry-After."
    headers = {"Retry-After": "30"}


class ArchiveAnswerUnfit(Unavailable):
    code = "records.archive_answer_unfit"
    title = "医院影像系统返回的影像不符"
    detail = "The hospital's archive no longer has this image, or answered with another one or with none that fits."
