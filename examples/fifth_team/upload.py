"""Write a table as Parquet shards where Turbine trains from: what any team does with data of its own.

Talks to whatever the standard AWS variables point at.
"""

from __future__ import annotations

import io

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_iris

ROWS_A_SHARD = 75


def main() -> None:
    """Upload the iris data as two shards below datasets/botany/iris/v1/."""
    iris = load_iris()
    columns = {
        name.removesuffix(" (cm)").replace(" ", "_"): iris.data[:, i] for i, name in enumerate(iris.feature_names)
    }
    table = pa.table(columns | {"species": [str(iris.target_names[label]) for label in iris.target]})
    bucket = _data_bucket()
    s3 = boto3.client("s3")
    for number, start in enumerate(range(0, table.num_rows, ROWS_A_SHARD)):
        shard = io.BytesIO()
        pq.write_table(table.slice(start, ROWS_A_SHARD), shard)
        key = f"datasets/botany/iris/v1/part-{number}.parquet"
        s3.put_object(Bucket=bucket, Key=key, Body=shard.getvalue())
        print(f"s3://{bucket}/{key}")


def _data_bucket() -> str:
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName="turbine")["Stacks"]
    return next(o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "DataBucketName")


if __name__ == "__main__":
    main()
