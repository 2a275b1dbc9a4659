"""Refusals of quality control."""

from core.errors import Conflict, NotFound


class SampleDrawn(Conflict):
    code = "records.sample_drawn"
    title = "该机构该月该类检查已抽样"
    detail = "One sample is drawn of a hospital's month of one modality; score what was drawn."


class SampleEmpty(Conflict):
    code = "records.sample_empty"
    title = "没有可抽样的检查"
    detail = "The hospital has no checked studies of this modality in this month."


class SampleNotFound(NotFound):
    code = "records.sample_not_found"
    title = "没有找到这份抽样"
    detail = "No study was drawn under this id; list the samples of the month again."


class SampleScored(Conflict):
    code = "records.sample_scored"
    title = "这份抽样已评分"
    detail = "A score stands as it was given."
