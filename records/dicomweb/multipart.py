"""multipart/related (RFC 2387) read as a stream: a study of a gigabyte passes through in pieces of 64 KiB."""

import re
from collections.abc import Callable
from typing import IO

from records.refusals import MultipartMalformed

PIECE_BYTES = 64 * 1024
LONGEST_HEADERS_BYTES = 8 * 1024

Write = Callable[[bytes], None]


class MultipartReader:
    """Reads part after part: ``next_part``, then ``copy_part``, until ``next_part`` says None."""

    def __init__(self, stream: IO[bytes], boundary: str) -> None:
        # RFC 2046 ends at 70 characters; Orthanc sends 73.
        if not re.fullmatch(r"[ -~]{1,200}", boundary):
            raise MultipartMalformed
        self._stream = stream
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first delimiter may stand at the very beginning, without the line break that belongs to it.
        self._ahead = bytearray(b"\r\n")
        self._copy_until_delimiter(lambda _preamble: None)

    def next_part(self) -> dict[str, str] | None:
        """The headers of the next part, names in lower case; None behind the last one.

        :raises MultipartMalformed: neither a part nor the end.
        """
        if self._peek(2) == b"--":
            return None
        end = self._find_headers_end()
        lines = bytes(self._ahead[:end]).decode("latin-1").split("\r\n")
        del self._ahead[: end + 4]
        # What follows the boundary on its own line is padding.
        if lines[0].strip(" \t"):
            raise MultipartMalformed
        fields = (line.partition(":") for line in lines[1:] if line)
        return {name.strip().lower(): value.strip() for name, _, value in fields}

    def copy_part(self, write: Write) -> None:
        """Pass the content of the current part on, piece by piece.

        :raises MultipartMalformed: the body ends within it.
        """
        self._copy_until_delimiter(write)

    def _copy_until_delimiter(self, write: Write) -> None:
        while (found := self._ahead.find(self._delimiter)) < 0:
            # The end of what was read may be the beginning of a delimiter.
            safe = max(0, len(self._ahead) - len(self._delimiter) + 1)
            write(bytes(self._ahead[:safe]))
            del self._ahead[:safe]
            self._read_on()
        write(bytes(self._ahead[:found]))
        del self._ahead[: found + len(self._delimiter)]

    def _find_headers_end(self) -> int:
        while (end := self._ahead.find(b"\r\n\r\n")) < 0:
            if len(self._ahead) > LONGEST_HEADERS_BYTES:
                raise MultipartMalformed
            self._read_on()
        return end

    def _peek(self, count: int) -> bytes:
        while len(self._ahead) < count:
            self._read_on()
        return bytes(self._ahead[:count])

    def _read_on(self) -> None:
        piece = self._stream.read(PIECE_BYTES)
        if not piece:
            raise MultipartMalformed
        self._ahead += piece
