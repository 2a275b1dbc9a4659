"""HL7 v2 messages as a laboratory system sends them."""

import secrets

DEFAULT_RESULT = "OBX|1|NM|2345-7^葡萄糖^LN||7.20|mmol/L^mmol/L^UCUM|3.9-6.1|H|||F"


def oru(
    facility: str,
    patient: str,
    *results: str,
    control_id: str | None = None,
    order: str | None = None,
    msh: str = "P|2.5.1||||||UNICODE UTF-8",
    obr: str = "24323-8^生化全套^LN|||20260305083000|||||||||||||||20260305100000||LAB|F",
) -> str:
    """An ORU^R01 of one order.

    :param patient: PID-3 as it stands.
    :param results: OBX and NTE segments; one glucose result when left out.
    :param msh: MSH-11 and what follows; ``obr``: OBR-4 and what follows.
    """
    segments = [
        f"MSH|^~\\&|LIS|{facility}|YIMATONG|CITY|20260305100001||ORU^R01^ORU_R01|"
        f"{control_id or secrets.token_hex(10)}|{msh}",
        f"PID|1||{patient}",
        "PV1|1|O",
        f"OBR|1||{order or secrets.token_hex(8)}|{obr}",
        *(results or [DEFAULT_RESULT]),
    ]
    return "\r".join(segments) + "\r"


def fields_of(ack: str) -> dict[str, list[str]]:
    """The segments of an acknowledgement by name, their fields numbered as in the standard (except MSH)."""
    return {segment[:3]: segment.split("|") for segment in ack.split("\r") if segment}


def adt(
    facility: str,
    patient: str,
    trigger: str,
    *more: str,
    number: str = "",
    pid: str = "",
    pv1: str = "O",
    service: str = "",
    control_id: str | None = None,
) -> str:
    """An ADT message of one visit.

    :param number: PV1-19, the visit's number.
    :param pid: PID-5 and what follows; ``pv1``: PV1-2; ``service``: PV1-10.
    """
    segments = [
        f"MSH|^~\\&|HIS|{facility}|YIMATONG|CITY|20260305100001||ADT^{trigger}|{control_id or secrets.token_hex(10)}|"
        "P|2.5.1||||||UNICODE UTF-8",
        f"EVN|{trigger}|20260305083000",
        f"PID|1||{patient}||{pid}",
        *more,
        f"PV1|1|{pv1}||||||||{service}|||||||||{number}",
    ]
    return "\r".join(segments) + "\r"


def orm(facility: str, patient: str, *orders: str, number: str = "", control_id: str | None = None) -> str:
    """An ORM^O01.

    :param orders: ORC and OBR segments; one blood count when left out.
    """
    segments = [
        f"MSH|^~\\&|HIS|{facility}|YIMATONG|CITY|20260305100001||ORM^O01|{control_id or secrets.token_hex(10)}|"
        "P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||{patient}",
        f"PV1|1|O|||||||||||||||||{number}",
        *(orders or ["ORC|NW|P1|F1||||||20260305083000", "OBR|1|P1|F1|58410-2^全血细胞计数^LN"]),
    ]
    return "\r".join(segments) + "\r"
