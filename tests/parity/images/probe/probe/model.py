"""A model server as SageMaker expects it, with a model that doubles numbers."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """`/ping` and `/invocations` on JSON Lines."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def do_GET(self) -> None:
        self._answer(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        factor = json.loads((Path(os.environ["SM_MODEL_DIR"]) / "model.json").read_text())["factor"]
        answers = []
        for number, line in enumerate(body.splitlines(), 1):
            record = json.loads(line)
            if "x" not in record:
                self._answer(400, f"line {number}: the field x is missing".encode())
                return
            answers.append(json.dumps({"prediction": record["x"] * factor}))
        print(f"answered {len(answers)} lines", flush=True)
        self._answer(200, "\n".join(answers).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing of its own."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def serve() -> None:
    """Serve on the port SageMaker names."""
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
