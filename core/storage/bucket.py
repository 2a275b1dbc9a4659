"""Files kept in a bucket of an object store that speaks Amazon S3's interface (MinIO, Ceph, the clouds)."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from core import observe
from core.circuit import Circuit
from core.config import BucketAccess
from core.storage.folder import StorageFull
from core.storage.stored import Stored
from core.storage.stores import StorageSilent

# Two chunks of a sealed file: whoever reads an image's header needs no more.
FIRST_BYTES = 2 * (64 * 1024 + 37)
MOST_AHEAD_BYTES = 64 * FIRST_BYTES
PART_BYTES = 16 * 1024 * 1024
_REST_SECONDS = 5.0
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "EntityTooLarge"}
_MISSING = {"NoSuchKey", "404", "NotFound"}

# Reading the description of S3's interface takes a third of a second: once a process.
SESSION = boto3.session.Session()

T = TypeVar("T")


class Bucket:
    """A store behind a network. Each call waits seconds at most, is tried three times, and then the store rests."""

    name = "bucket"

    def __init__(self, access: BucketAccess) -> None:
        self._bucket = access.bucket
        self._circuit = Circuit(_REST_SECONDS)
        self._client: Any = SESSION.client(
            "s3",
            endpoint_url=access.url,
            region_name=access.region,
            aws_access_key_id=access.key_id,
            aws_secret_access_key=access.secret,
            config=ClientConfig(
                connect_timeout=3,
                read_timeout=20,
                retries={"mode": "standard", "total_max_attempts": 3},
                max_pool_connections=16,
                s3={"addressing_style": "path"},
            ),
        )
        # In one thread: many requests come at the same moment anyway.
        self._transfer = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False
        )

    def bring(self, path: Path, address: str) -> None:
        """Carry it over, in parts when it is large; the store checks the SHA-256 of each."""
        checked = {"ChecksumAlgorithm": "SHA256"}
        self._ask(
            lambda: self._client.upload_file(
                str(path), self._bucket, _key(address), ExtraArgs=checked, Config=self._transfer
            )
        )

    def settle(self, path: Path, _address: str) -> None:
        """Nothing on the network: it is there."""
        path.unlink(missing_ok=True)

    def find(self, address: str) -> tuple[BinaryIO, int] | None:
        found = self._get(address, 0, FIRST_BYTES)
        if found is None:
            return None
        first, total = found
        opened = _BucketFile(lambda start, length: self._get(address, start, length), first, total)
        return cast(BinaryIO, opened), total

    def discard(self, address: str) -> None:
        self._ask(lambda: self._client.delete_object(Bucket=self._bucket, Key=_key(address)))

    def list_files(self, prefix: str) -> Iterator[Stored]:
        asked = {"Bucket": self._bucket, "Prefix": f"objects/{prefix}"}
        while True:
            page = self._ask(lambda: self._client.list_objects_v2(**asked))
            for one in (page or {}).get("Contents", []):
                yield Stored(one["Key"].rpartition("/")[2], one["Size"], one["LastModified"])
            if not page or not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _get(self, address: str, start: int, length: int) -> tuple[bytes, int] | None:
        """A part of the file, and how long the whole is; None when it is not there."""

        def ask() -> tuple[bytes, int]:
            wanted = f"bytes={start}-{start + length - 1}"
            reply = self._client.get_object(Bucket=self._bucket, Key=_key(address), Range=wanted)
            with reply["Body"] as body:
                return body.read(), int(reply["ContentRange"].rpartition("/")[2])

        return self._ask(ask)

    def _ask(self, call: Callable[[], T]) -> T | None:
        """What the store answers; None: there is no such file.

        :raises StorageSilent: it does not answer, or refuses us.
        :raises StorageFull: it has no room.
        """
        if self._circuit.is_open:
            raise StorageSilent
        try:
            answer = call()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _MISSING:
                return None
            raise self._complain(code) from None
        except S3UploadFailedError as error:
            cause = error.__context__
            code = str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""
            raise self._complain(code or type(error).__name__) from None
        except BotoCoreError as error:
            self._circuit.trip()
            raise self._complain(type(error).__name__) from None
        self._circuit.close()
        return answer

    def _complain(self, code: str) -> StorageFull | StorageSilent:
        observe.log.error("storage.bucket_refused", error=code)
        return StorageFull() if code in _FULL else StorageSilent()


class _BucketFile(io.RawIOBase):
    """A file read by ranges. Who reads on gets more ahead each time; who jumps about gets what he asks for."""

    def __init__(self, get: Callable[[int, int], tuple[bytes, int] | None], first: bytes, total: int) -> None:
        self._get, self._total = get, total
        self._start, self._block = 0, first
        self._position, self._ahead = 0, FIRST_BYTES

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._total}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        rest = max(0, self._total - self._position)
        size = rest if size < 0 else min(size, rest)
        end = self._start + len(self._block)
        if size and not self._start <= self._position <= self._position + size <= end:
            self._ahead = min(2 * self._ahead, MOST_AHEAD_BYTES) if self._position == end else size
            found = self._get(self._position, max(size, self._ahead))
            # Gone, or cut: what is missing breaks the seal of its chunk, and that is told.
            self._start, self._block = self._position, found[0] if found else b""
        offset = self._position - self._start
        part = self._block[offset : offset + size]
        self._position += len(part)
        return part


def _key(address: str) -> str:
    return f"objects/{address[:2]}/{address}"
