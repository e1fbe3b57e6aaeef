"""The instance metadata of one Spot host, on a loopback port of its own: IMDSv2 with what a job may ask about its end.

A container of this machine must never reach for 169.254.169.254: on a laptop that is nobody, on a cloud's machine it
is the machine's own. It finds this one through AWS_EC2_METADATA_SERVICE_ENDPOINT.

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local_cloud.batch.instances import Instance

_TOKEN_PATH = "/latest/api/token"  # noqa: S105  a path
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105  a header's name
_LONGEST_TTL_S = 21_600


class MetadataService:
    """Serves one instance's metadata until `close`.

    `port` and `token` are those that its container knows already, when another cloud has started it.
    Raises: OSError if the port is taken.
    """

    def __init__(self, instance: Instance, port: int = 0, token: str = "") -> None:
        self.token = token or secrets.token_urlsafe(40)
        handler = type("Handler", (_Handler,), {"instance": instance, "token": self.token})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), daemon=True, name=f"metadata-{instance.instance_id}"
        ).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    instance: Instance
    token: str

    def do_PUT(self) -> None:
        """Give a token."""
        ttl = self.headers.get(_TTL_HEADER, "")
        if self.path != _TOKEN_PATH:
            self._answer(HTTPStatus.NOT_FOUND)
        elif not ttl.isdigit() or not 1 <= int(ttl) <= _LONGEST_TTL_S:
            self._answer(HTTPStatus.BAD_REQUEST)
        else:
            self._answer(HTTPStatus.OK, self.token)

    def do_GET(self) -> None:
        """Answer an item to who holds the token."""
        if self.headers.get(_TOKEN_HEADER) != self.token:
            self._answer(HTTPStatus.UNAUTHORIZED)
            return
        item = self._items().get(self.path.removeprefix("/latest/meta-data/").rstrip("/"))
        self._answer(HTTPStatus.NOT_FOUND if item is None else HTTPStatus.OK, item or "")

    def _items(self) -> dict[str, str]:
        items = {"instance-id": self.instance.instance_id, "instance-life-cycle": "spot"}
        if self.instance.ends_at is not None:
            time = self.instance.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            items["spot/instance-action"] = json.dumps({"action": "terminate", "time": time})
            items["spot/termination-time"] = time
        return items

    def _answer(self, status: HTTPStatus, text: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: jobs ask every few seconds."""
