"""Containers that outlive the cloud: each has a shim, a small process beside it that no other process's death ends.

    folder       a container's folder: its files, who may run it (one shim, once), how it is ended from outside
    shim         starts the container's process, keeps its output and its end, heeds its time limit
    fork_server  makes shims out of one small process, since starting Python for each would take longer than many jobs
    container    the cloud's end: start one, find one again, stop it, learn how it ended
    output       a container's output into CloudWatch Logs, each line once

`folder`, `shim` and `fork_server` use the standard library only.
"""
