"""An S3 that takes every upload and keeps nothing: what an upload costs is then the sender's share alone.

    python benchmarks/discarding_s3.py     prints its port on the loopback, and serves until it is ended

It knows what a checkpoint's upload asks for: objects in one piece or in parts, and a listing, which is empty.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_READ_BYTES = 1024 * 1024
_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_STARTED = f"<InitiateMultipartUploadResult {_NAMESPACE}><UploadId>1</UploadId></InitiateMultipartUploadResult>"
_COMPLETED = f"<CompleteMultipartUploadResult {_NAMESPACE}><ETag>1</ETag></CompleteMultipartUploadResult>"
_LISTED = f"<ListBucketResult {_NAMESPACE}><IsTruncated>false</IsTruncated></ListBucketResult>"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self._discard()
        self._answer("")

    def do_POST(self) -> None:
        self._discard()
        self._answer(_STARTED if self.path.endswith("?uploads") else _COMPLETED)

    def do_GET(self) -> None:
        self._answer(_LISTED)

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        return True

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a line a request would cost more than the request."""

    def _discard(self) -> None:
        left = int(self.headers.get("Content-Length", 0))
        while left:
            left -= len(self.rfile.read(min(left, _READ_BYTES)))

    def _answer(self, body: str) -> None:
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port)
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
