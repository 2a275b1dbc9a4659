"""The pages under /operator: what each of the three roles that run the platform does."""

from accounts.administration.pages import audit, clients, home, hospitals, keys, ports, staff, terminals

PAGES = [
    home.pages,
    hospitals.pages,
    terminals.pages,
    staff.pages,
    clients.pages,
    ports.pages,
    keys.pages,
    audit.pages,
]
