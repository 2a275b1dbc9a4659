"""A hospital's archive that a test makes say anything at all."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.certificates import Certificate

Said = tuple[int, dict[str, str], bytes]


@dataclass
class StrangeArchive:
    """``answer`` is given the path that was asked; ``asked`` notes path and Authorization of every request."""

    answer: Callable[[str], Said]
    base_url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def strange_archive(answer: Callable[[str], Said], certificate: Certificate | None = None) -> Iterator[StrangeArchive]:
    """:param certificate: with it, it speaks TLS."""
    archive = StrangeArchive(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            archive.asked.append((self.path, self.headers.get("Authorization", "")))
            status, headers, body = archive.answer(self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate.files)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    scheme = "http" if certificate is None else "https"
    archive.base_url = f"{scheme}://127.0.0.1:{server.server_port}/pacs"
    try:
        yield archive
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
