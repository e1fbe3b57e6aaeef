"""`python -m local_cloud --state-dir DIR --project-dir DIR [--port N]`."""

from local_cloud.server import main

main()
