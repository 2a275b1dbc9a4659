"""What a phone sends after a face or bank check."""

from pydantic import Field

from core.api import Received
from health_card.realname.source import Method


class OwnVerification(Received):
    way: Method = Field(description="face, or bank: a check against the person's bank account")
    token: str = Field(
        min_length=1,
        max_length=512,
        pattern=r"^[!-~]+$",
        description="what the real-name source gave the phone after the check; good once, for ten minutes",
    )
