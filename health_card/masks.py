"""How names and numbers are shown to those who need not see them whole."""

# In place of the name of a person whose record was deleted; nothing of it is to be hidden.
ERASED_NAME = "档案已删除"


def mask_name(name: str) -> str:
    """张三 -> 张*, 张小三 -> 张*三."""
    if name == ERASED_NAME:
        return name
    if len(name) <= 1:
        return "*"
    return name[0] + "*" if len(name) == 2 else name[0] + "*" * (len(name) - 2) + name[-1]


def mask_number(number: str) -> str:
    """A certificate number: the first 3 and the last 4 at most, and never more than half of it."""
    shown = min(7, len(number) // 2)
    head, tail = min(3, shown // 2), min(4, shown - min(3, shown // 2))
    return number[:head] + "*" * (len(number) - head - tail) + number[len(number) - tail :]


def mask_phone(phone: str) -> str:
    """138****1234; a number shorter than a mobile number shows less, as any other."""
    return phone[:3] + "*" * (len(phone) - 7) + phone[-4:] if len(phone) >= 11 else mask_number(phone)


def mask_address(address: str) -> str:
    """The first characters, at most 6 and never more than half: the district, not the door."""
    return address[: min(6, len(address) // 2)] + "***"
