"""What is shown once: passwords and enrolment codes."""

from flask import Response

from accounts.service.personnel import OneTimePassword
from accounts.service.terminal_keys import EnrolmentCode
from core.pages import show_page

TEMPLATE = "accounts/operator_once.html"


def show_password(given: OneTimePassword, back: str) -> Response:
    """A password for once, for whoever hands it on. ``back``: where the page leads on to."""
    return show_page(TEMPLATE, password=given, back=back)


def show_enrolment_code(issued: EnrolmentCode, terminal_code: str, back: str) -> Response:
    """A code that a terminal brings its key with."""
    return show_page(TEMPLATE, enrolment=issued, terminal_code=terminal_code, back=back)
