"""What a phone sends and gets to let a hospital read a card."""

from datetime import datetime

from pydantic import Field

from core.api import Received, Shown


class Authorisation(Received):
    hospital_code: str = Field(min_length=1, max_length=64, description="organisation code of the one that may read")


class AuthorisationShown(Shown):
    health_code: str = Field(description="for the hospital's system; good once")
    expires_at: datetime
