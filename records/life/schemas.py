"""A life as it goes out."""

from datetime import date
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from core.api import Received, Shown
from records.life.events import EventKind
from records.life.service import Life
from records.life.stages import Stage


class LifeQuery(Received):
    person_id: UUID | None = Field(None, description="somebody for whom the login acts; left out: its own person")


class StageShown(Shown):
    stage: Stage
    first_day: date = Field(description="in the city; included")
    end_day: date | None = Field(description="not included; left out: open")
    is_now: bool
    count: int = Field(description="reports, images and entries of this time")
    unread_count: int


class EventShown(Shown):
    kind: EventKind = Field(description="birth, vaccination, delivery; condition: a lasting one")
    on: date = Field(description="in the city")
    name: str
    object_id: UUID = Field(description="of the entry that says so: /api/v1/entries/{object_id}")
    hospital_name: str
    stage: Stage | None = Field(description="of age, on its day; left out: no birth date is known")


class LifeShown(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "person_id": "018f0000-0000-7000-8000-0000000000a1",
                "stages": [
                    {
                        "stage": "youth",
                        "first_day": "2003-04-12",
                        "end_day": "2030-04-12",
                        "is_now": True,
                        "count": 12,
                        "unread_count": 1,
                    },
                    {
                        "stage": "pregnancy",
                        "first_day": "2020-02-25",
                        "end_day": "2020-11-28",
                        "is_now": False,
                        "count": 5,
                        "unread_count": 0,
                    },
                ],
                "events": [
                    {
                        "kind": "delivery",
                        "on": "2020-11-27",
                        "name": "单胎顺产",
                        "object_id": "018f0000-0000-7000-8000-0000000000e2",
                        "hospital_name": "市妇幼测试医院",
                        "stage": "youth",
                    }
                ],
            }
        }
    )

    person_id: UUID
    stages: list[StageShown] = Field(description="those that have begun, in order; a pregnancy lies across others")
    events: list[EventShown] = Field(
        description="births, vaccinations, deliveries and lasting conditions, newest first"
    )

    @classmethod
    def of(cls, life: Life) -> Self:
        stages = [
            StageShown(
                stage=found.stage,
                first_day=found.span.first_day,
                end_day=found.span.end_day,
                is_now=found.is_now,
                count=found.count,
                unread_count=found.unread_count,
            )
            for found in life.stages
        ]
        events = [
            EventShown(
                kind=found.event.kind,
                on=found.event.on,
                name=found.event.name,
                object_id=found.event.object_id,
                hospital_name=found.hospital_name,
                stage=found.stage,
            )
            for found in life.events
        ]
        return cls(person_id=life.person_id, stages=stages, events=events)
