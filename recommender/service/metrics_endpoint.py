"""GET /metrics over HTTP, from a thread of the supervisor."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from recommender.config import ServerSettings
from recommender.errors import ConfigurationError
from recommender.service.ports import is_loopback, parse_listen

#: Whoever has not sent a whole request by then is hung up on.
_PATIENCE_SECONDS: Final = 5.0


def check_metrics_exposure(settings: ServerSettings) -> None:
    """Refuse to show numbers beyond loopback unless told that this is wanted: this endpoint asks nobody for a token.

    Raises:
        ConfigurationError: Others could reach the port, and `insecure` is not set.
    """
    listen = settings.metrics_listen
    if listen and not settings.insecure and not is_loopback(parse_listen(listen)[0]):
        raise ConfigurationError(
            f"server.metrics_listen is {listen}, which other machines can reach, and /metrics has neither tokens nor "
            "TLS; scrape it through an agent on this machine, or give --insecure where the network itself is trusted"
        )


@contextmanager
def metrics_endpoint(listen: str, text: Callable[[], bytes]) -> Iterator[str]:
    """Answer until the block ends; gives the URL.

    Args:
        listen: HOST:PORT; port 0 picks a free one.
        text: Writes the page.

    Raises:
        ConfigurationError: The address cannot be bound.
    """
    host, port = parse_listen(listen)
    try:
        server = _server(host, port, text)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(f"cannot listen on {listen}: {why}; choose another server.metrics_listen") from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _server(host: str, port: int, text: Callable[[], bytes]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_SECONDS
        server_version, sys_version = "windowshop", ""

        def do_GET(self) -> None:  # http.server's name
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND, explain="only /metrics is here")
                return
            page = text()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
            """Scrapes are no news."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no news either."""

    return Server((host, port), Handler)
