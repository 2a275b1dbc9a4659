"""Pages."""

from core.web import Pages

pages = Pages("person_pages", __name__)
