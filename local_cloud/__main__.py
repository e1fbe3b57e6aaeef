"""`python -m local_cloud --state-dir DIR --project-dir DIR [--port N]`."""

import gc

from local_cloud import aws_clients

# What is imported and read at start stays: looking through it for garbage takes a third of the start. See `server`.
gc.disable()
aws_clients.read_models_once()

from local_cloud.server import main  # noqa: E402

main()
