"""The pages under /operator: what each of the three roles that run the platform does."""

from accounts.administration.pages import audit, clients, dicom, home, hospitals, keys, mllp, staff, terminals

PAGES = [
    home.pages,
    hospitals.pages,
    terminals.pages,
    staff.pages,
    clients.pages,
    mllp.pages,
    dicom.pages,
    keys.pages,
    audit.pages,
]
