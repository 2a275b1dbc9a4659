"""Which images are slow to show: for these a first look is made when they arrive."""

from pydicom import uid

ARRIVED_TOPIC = "records.slow_image_arrived"
# Wider or higher than this, an image is first sent so that it fits this.
FIRST_LOOK_PIXELS = 1024

_SLOW = frozenset(
    str(syntax)
    for syntax in (
        uid.JPEG2000Lossless, uid.JPEG2000, uid.JPEG2000MCLossless, uid.JPEG2000MC,
        uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K,
    )
)  # fmt: skip


def is_large(rows: int | None, columns: int | None) -> bool:
    """Whether a first look needs less than all of its pixels."""
    return max(rows or 0, columns or 0) > FIRST_LOOK_PIXELS * 5 // 4


def is_slow(transfer_syntax_uid: str, rows: int | None, columns: int | None) -> bool:
    """Whether making its picture costs so much more than reading a ready one that the ready one is worth its place."""
    return bool(rows) and (transfer_syntax_uid in _SLOW or is_large(rows, columns))
