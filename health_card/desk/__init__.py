"""Desks: a registrar looks a person up, sees the document, registers, and raises how well an identity is known."""
