"""An object store for tests: moto's S3 server, which checks parts and checksums as the real ones do."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from moto.server import ThreadedMotoServer

from core import storage
from core.config import BucketAccess, Config, StorageHome
from core.storage import stores
from core.storage.bucket import SESSION, Bucket


@contextmanager
def object_store() -> Iterator[BucketAccess]:
    """A server with one empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        access = BucketAccess(
            f"http://{host}:{port}", f"files-{secrets.token_hex(4)}", "us-east-1", "test", "test-test"
        )
        client = SESSION.client(
            "s3",
            endpoint_url=access.url,
            region_name=access.region,
            aws_access_key_id=access.key_id,
            aws_secret_access_key=access.secret,
        )
        client.create_bucket(Bucket=access.bucket)
        client.close()
        yield access
    finally:
        server.stop()


@contextmanager
def storing_in(config: Config, access: BucketAccess, *, home: StorageHome = "bucket") -> Iterator[None]:
    """The process keeps its files in the bucket, and reads those in the folder."""
    storage.configure(replace(config, bucket=access, storage_home=home))
    try:
        yield
    finally:
        for store in stores.everywhere():
            if isinstance(store, Bucket):
                store.close()
        storage.configure(config)
