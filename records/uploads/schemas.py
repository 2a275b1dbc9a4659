"""What uploads take in and give out."""

from datetime import datetime
from uuid import UUID

from flask_openapi3.models import RawModel
from pydantic import Field

from core.api import Received, Shown
from records.uploads.columns import ERRORS, column_word
from records.uploads.models import Upload
from records.uploads.service import describe_errors


class FileBody(RawModel):
    """The list itself: CSV (RFC 4180) in UTF-8 or GB18030, or an .xlsx workbook, with the template's header."""

    mimetypes = ["text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"]


class UploadPath(Received):
    upload_id: UUID


class UploadQuery(Received):
    before: UUID | None = Field(None, description="id of the last one of the page before")


class CommitForm(Received):
    leaves_out_errors: bool = Field(False, description="file the reports without errors, leave the others out")


class RowErrorShown(Shown):
    line: int = Field(description="in the file, counted from 1")
    column: str = Field(description="as the template calls it; empty: the whole row")
    code: str = Field(description="for example missing, bad_date, formula, person_not_matched")
    advice: str = Field(description="what is wrong and what to do, in Chinese")


class UploadShown(Shown):
    id: UUID
    state: str = Field(description="checked, filing, filed or expired")
    created_at: datetime
    ended_at: datetime | None
    rows_total: int
    reports: dict[str, int] = Field(description="how many are ready, left_out, filed, same, quarantined")
    errors_total: int
    errors: list[RowErrorShown] = Field(description="by line, at most 1,000; empty in lists of uploads")

    @classmethod
    def of(cls, upload: Upload, reports: dict[str, int], *, with_errors: bool = True) -> "UploadShown":
        return cls(
            id=upload.id,
            state=upload.state,
            created_at=upload.created_at,
            ended_at=upload.ended_at,
            rows_total=upload.rows_total,
            reports=reports,
            errors_total=upload.errors_total,
            errors=[
                RowErrorShown(
                    line=error.line, column=column_word(error.column), code=error.code, advice=ERRORS[error.code]
                )
                for error in (describe_errors(upload) if with_errors else [])
            ],
        )


class UploadList(Shown):
    uploads: list[UploadShown]
