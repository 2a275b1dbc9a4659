"""The reference pages that are written from the code: ``flask --app app docs errors > docs/errors.md``."""

import click
from flask.cli import AppGroup

from core.errors import Refusal, list_refusals

commands = AppGroup("docs", help="Reference pages, written from the code.")

_HEAD = """\
# Refusal codes

Every refusal is a problem details object (RFC 9457): `status`, `code`, `title` (one Chinese sentence for the person in
front of the screen), `detail` (English, for whoever connects a system), `request_id`. Programs look at `code`: it never
changes its meaning. This page is written from the refusal classes: `make docs`.

| code | status | for the person | what it means and what to do |
|---|---|---|---|
"""


@commands.command("errors")
def print_errors_page() -> None:
    """Every refusal code, as the Markdown text of docs/errors.md."""
    click.echo(errors_page(), nl=False)


def errors_page() -> str:
    """The Markdown text of docs/errors.md, for the refusals of every imported package."""
    return _HEAD + "".join(_row(refusal) for refusal in list_refusals())


def _row(refusal: type[Refusal]) -> str:
    # One code has many statuses: what HTTP itself refuses.
    status = getattr(refusal, "status", "4xx, 5xx")
    cells = (f"`{refusal.code}`", str(status), refusal.title, refusal.detail)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"
