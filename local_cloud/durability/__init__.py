"""What the embedded cloud knows, kept in one SQLite file, so that a cloud that was killed goes on where it was.

moto keeps its state in Python objects. Each backend (a service in an account and Region) is one cell, the pickle of
its attributes; collections that grow with use (S3 keys, table items, log streams, executions, jobs, …) are cells an
entry. A request that may change something is answered once the cells it changed are written (`commits`, `requests`).

    store        the SQLite file: cells, and large contents once each
    references   which contents a cell refers to, so that those of nobody go
    pickling     cells as bytes, and back; what refers to what across cells
    tracked      dictionaries and lists that note which of their entries may have changed
    tables       which of moto's collections are tracked
    reached      which backends a request may have changed besides its service's
    commits      the one way to write
    requests     which requests may change something, and the wrapper that commits before it answers
    recovery     everything read back at start

Only files that this user alone can write are unpickled: `store` refuses others.
"""
