"""A hospital's own image archive (PACS): found here, kept there, fetched when somebody who may asks for it."""
