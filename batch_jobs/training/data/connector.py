"""Large objects through s3torchconnector: S3's CRT client fetches parts of one object over many connections.

It cannot ask for a version (1.5.0), so what it reads is the newest one.
"""

import os
from collections.abc import Iterator

from training.spec import Shard

THROUGHPUT_VARIABLE = "TURBINE_S3_GBPS"
# The connector's own default; where an instance's network is faster, it wants to be told.
DEFAULT_GBPS = "10"


class BrokenOffError(Exception):
    """The connector gave a download up, for whatever reason: its errors are text, in which none can be told apart."""


def read_chunks(shard: Shard, region: str, chunk_bytes: int) -> Iterator[bytes]:
    """The newest version's bytes. Credentials and endpoint come from the standard AWS variables.

    Raises: BrokenOffError.
    """
    # Imported only here: most runs read a few small shards and need no second S3 client.
    from s3torchconnector import S3ClientConfig, S3Exception, S3IterableDataset

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config = S3ClientConfig(
        throughput_target_gbps=float(os.environ.get(THROUGHPUT_VARIABLE, DEFAULT_GBPS)),
        force_path_style=endpoint is not None,  # a server that is not AWS has no host name for each bucket
    )
    objects = S3IterableDataset.from_objects(shard.uri, region=region, endpoint=endpoint, s3client_config=config)
    try:
        reader = next(iter(objects))
        while chunk := reader.read(chunk_bytes):
            yield chunk
    except S3Exception as error:
        raise BrokenOffError(str(error)) from error
