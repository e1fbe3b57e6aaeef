"""A Batch Transform job: every object below the input prefix through the model, into `<name>.out`.

Refused by name when the job is created: what this cloud does not carry out. Objects that succeeded keep their output
when a later one fails, as on AWS.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
"""

from __future__ import annotations

import collections
import datetime
import http.client
import logging
import re
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from moto.sagemaker.models import sagemaker_backends

from local_cloud import aws_clients, changes, processes, settings
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.container_logs import LogStream
from local_cloud.durability import commits
from local_cloud.images.root import ImageError
from local_cloud.sagemaker import filters, records
from local_cloud.sagemaker.execution_role import TransformRole
from local_cloud.sagemaker.model_server import BadAnswerError, ModelServer, ModelServerError, remove, unpack
from local_cloud.services import events

_LOG = logging.getLogger(__name__)
LOG_GROUP = "/aws/sagemaker/TransformJobs"
_MEBIBYTE = 1024 * 1024
_DEFAULT_PAYLOAD_MIB = 6
_LARGEST_PAYLOAD_MIB = 100
_CHUNK_BYTES = 1024 * 1024
_LONGEST_REASON = 1024
_RETRIES = 3
_TIMEOUT_S = 600
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_REFUSED = ("DataCaptureConfig", "ExperimentConfig")
_LAYOUT: dict[str, tuple[str | None, ...]] = {
    "SplitType": (None, "None", "Line"),
    "CompressionType": (None, "None"),
}


class TransformParameterError(ValueError):
    """A parameter of a transform job that is wrong or not emulated."""


class TransformStoppedError(RuntimeError):
    """StopTransformJob was called."""


class TransformFailedError(RuntimeError):
    """The job cannot go on; the message is its FailureReason."""


def check(request: Mapping[str, Any]) -> records.Processing:
    """What a request asks for.

    Raises: TransformParameterError naming the parameter that is wrong or not emulated.
    """
    if _NAME.fullmatch(request["TransformJobName"]) is None:
        raise TransformParameterError(
            f"1 validation error detected: Value '{request['TransformJobName']}' at 'transformJobName' failed to "
            f"satisfy constraint: Member must satisfy regular expression pattern: {_NAME.pattern}"
        )
    for name in _REFUSED:
        if request.get(name):
            raise TransformParameterError(f"sagemaker:CreateTransformJob: {name} is not emulated")
    source, output = request["TransformInput"], request["TransformOutput"]
    data = source["DataSource"]["S3DataSource"]
    if data["S3DataType"] != "S3Prefix":
        raise TransformParameterError(f"sagemaker:CreateTransformJob: S3DataType {data['S3DataType']} is not emulated")
    for name, allowed in _LAYOUT.items():
        if source.get(name) not in allowed:
            raise TransformParameterError(f"sagemaker:CreateTransformJob: {name} {source[name]} is not emulated")
    concurrent, payload = request.get("MaxConcurrentTransforms") or 1, _payload_mib(request)
    if payload > _LARGEST_PAYLOAD_MIB or payload * concurrent > _LARGEST_PAYLOAD_MIB:
        raise TransformParameterError("MaxPayloadInMB times MaxConcurrentTransforms must not exceed 100 MB")
    if request.get("BatchStrategy") == "SingleRecord" and source.get("SplitType") != "Line":
        raise TransformParameterError("BatchStrategy SingleRecord needs SplitType Line")
    return _processing(request, source.get("ContentType") or "", output.get("Accept") or "")


def _processing(request: Mapping[str, Any], content_type: str, accept: str) -> records.Processing:
    asked = request.get("DataProcessing") or {}
    join = asked.get("JoinSource", "None") == "Input"
    parsed: dict[str, filters.Filter | None] = {}
    for name in ("InputFilter", "OutputFilter"):
        path = asked.get(name) or "$"
        try:
            parsed[name] = filters.parse(path, name) if path != "$" else None
        except filters.FilterError as error:
            raise TransformParameterError(str(error)) from error
    if join and (accept or content_type) != content_type:
        raise TransformParameterError("JoinSource Input needs the same ContentType and Accept")
    if join and request["TransformInput"].get("SplitType") != "Line":
        raise TransformParameterError(
            "sagemaker:CreateTransformJob: JoinSource Input is emulated with SplitType Line only"
        )
    return records.Processing(content_type, accept or content_type, parsed["InputFilter"], parsed["OutputFilter"], join)


def jobs_of(account: str, region: str) -> Any:
    """The transform jobs of an account and Region by name."""
    return sagemaker_backends[account][region].transform_jobs


def changed(job: TransformJob) -> None:
    """Note that a job has changed: what is looked up is written with the next commit."""
    jobs_of(job.account, job.region).get(job.transform_job_name)


class TransformJob:
    """One transform job: its request, its status, and the thread that carries it out."""

    def __init__(self, request: Mapping[str, Any], model: Any, account: str, region: str) -> None:
        self.request = dict(request)
        self.processing = check(request)
        self.transform_job_name: str = request["TransformJobName"]
        self.account, self.region = account, region
        self.arn = f"arn:aws:sagemaker:{region}:{account}:transform-job/{self.transform_job_name}"
        self.transform_job_status = "InProgress"
        self.failure_reason: str | None = None
        self.creation_time = self.last_modified_time = _now()
        self.transform_start_time: datetime.datetime | None = None
        self.transform_end_time: datetime.datetime | None = None
        self._model = model
        self._stop = threading.Event()

    def __getstate__(self) -> dict[str, Any]:
        """What is written: the filters are parsed again."""
        return {name: value for name, value in vars(self).items() if name not in ("processing", "_stop")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, processing=check(state["request"]), _stop=threading.Event())

    @property
    def response_object(self) -> dict[str, Any]:
        """The job as DescribeTransformJob shows it."""
        request = {name: value for name, value in self.request.items() if name != "Tags" and value is not None}
        shown = {
            **request,
            "TransformJobArn": self.arn,
            "TransformJobStatus": self.transform_job_status,
            "FailureReason": self.failure_reason,
            "CreationTime": self.creation_time,
            "TransformStartTime": self.transform_start_time,
            "TransformEndTime": self.transform_end_time,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def go_on(self) -> None:
        """After a restart: a job that was under way is carried out anew, its outputs written over."""
        if self.transform_job_status == "InProgress":
            self.start()
        elif self.transform_job_status == "Stopping":
            self._end("Stopped", None)

    def start(self) -> None:
        """Carry the job out in the background."""
        threading.Thread(target=self._run, daemon=True, name=f"transform-{self.transform_job_name}").start()

    def stop(self) -> None:
        """Ask the job to end; nothing if it has."""
        if self.transform_job_status == "InProgress":
            self.transform_job_status = "Stopping"
            self.tell()
            self._stop.set()

    def _run(self) -> None:
        log: LogStream | None = None
        try:
            role = TransformRole.of(self._model, self.arn, self.account, self.region)
            stream = f"{self.transform_job_name}/i-{uuid.uuid4().hex[:17]}"
            may_write = role.may_log(LOG_GROUP, stream)
            log = LogStream(self.account, self.region, LOG_GROUP, stream, may_write=may_write)
            self.transform_start_time = _now()
            self._transform(log, role)
            self._end("Completed", None)
        except TransformStoppedError:
            self._end("Stopped", None)
        except (
            *(BadAnswerError, TransformFailedError, records.RecordError, filters.FilterError),
            *(DeniedError, ClientError),
        ) as error:
            self._fail(log, f"ClientError: {error}")
        except (
            ModelServerError,
            ImageError,
            processes.CloudStoppingError,
            OSError,
            http.client.HTTPException,
        ) as error:
            self._fail(log, f"AlgorithmError: {error}")
        except Exception as error:  # noqa: BLE001  named in FailureReason and in the log
            _LOG.exception("transform job %s", self.transform_job_name)
            self._fail(log, f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            if log is not None:
                log.close()
            changes.announce(self.arn)

    def _fail(self, log: LogStream | None, reason: str) -> None:
        if log is not None:
            log.write(reason)
        self._end("Failed", reason[:_LONGEST_REASON])

    def _end(self, status: str, reason: str | None) -> None:
        self.failure_reason = reason
        self.transform_end_time = self.last_modified_time = _now()
        self.transform_job_status = status
        self.tell()

    def tell(self) -> None:
        """Send the event of a change of the status.

        Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
        """
        detail = {
            name: int(value.timestamp() * 1000) if isinstance(value, datetime.datetime) else value
            for name, value in self.response_object.items()
        }
        kind = "SageMaker Transform Job State Change"
        with commits.together():
            changed(self)
            events.emit("aws.sagemaker", kind, detail, [self.arn], self.account, self.region)
        commits.keep()

    def _transform(self, log: LogStream, role: TransformRole) -> None:
        s3 = aws_clients.client("s3", self.region, self.account, role.take())
        source = self.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        found = list(_objects(s3, source))
        if not found:
            raise TransformFailedError(f"No S3 objects found under S3 URL {source}")
        folder = settings.current().state_dir / "transforms" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            model_dir = self._fetch_model(s3, folder)
            container = self._model.primary_container
            variables = {**(container.get("Environment") or {}), **(self.request.get("Environment") or {})}
            role.require_image(container["Image"])
            with ModelServer(container["Image"], model_dir, variables, role.key(), log, folder) as server:
                for bucket, key, name in found:
                    self._transform_object(s3, server, bucket, key, name)
        finally:
            remove(folder)

    def _fetch_model(self, s3: Any, folder: Path) -> Path:
        model_dir = folder / "model"
        uri = self._model.primary_container.get("ModelDataUrl")
        if not uri:
            model_dir.mkdir()
            return model_dir
        archive = folder / "model.tar.gz"
        bucket, key = _split_uri(uri)
        try:
            s3.download_file(bucket, key, str(archive))
        except ClientError as error:
            raise TransformFailedError(f"the model data {uri} cannot be read: {error}") from error
        unpack(archive, model_dir)
        archive.unlink()
        return model_dir

    def _transform_object(self, s3: Any, server: ModelServer, bucket: str, key: str, name: str) -> None:
        output = self.request["TransformOutput"]
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        by_line = output.get("AssembleWith") == "Line"
        with tempfile.TemporaryFile() as assembled:
            try:
                for payload, answer in self._answers(server, self._payloads(body.iter_chunks(_CHUNK_BYTES))):
                    assembled.write(records.assembled(payload, answer, self.processing, by_line=by_line))
            except (BadAnswerError, records.RecordError, filters.FilterError) as error:
                raise TransformFailedError(f"{key}: {error}") from error
            assembled.seek(0)
            out_bucket, prefix = _split_uri(output["S3OutputPath"])
            target = f"{prefix.rstrip('/')}/{name}.out".lstrip("/")
            extra = {"ContentType": output["Accept"]} if output.get("Accept") else {}
            if output.get("KmsKeyId"):
                extra |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output["KmsKeyId"]}
            s3.upload_fileobj(assembled, out_bucket, target, ExtraArgs=extra)

    def _payloads(self, chunks: Iterable[bytes]) -> Iterator[records.Payload]:
        if self.request["TransformInput"].get("SplitType") != "Line":
            return iter([records.Payload(b"".join(chunks))])
        return records.payloads(
            records.lines_of(chunks),
            self.processing,
            largest_bytes=_payload_mib(self.request) * _MEBIBYTE,
            single=self.request.get("BatchStrategy") == "SingleRecord",
        )

    def _answers(
        self, server: ModelServer, payloads: Iterator[records.Payload]
    ) -> Iterator[tuple[records.Payload, bytes]]:
        """Payloads with their answers, in order, with at most twice MaxConcurrentTransforms in memory."""
        concurrent = int(self.request.get("MaxConcurrentTransforms") or 1)
        waiting: collections.deque[tuple[records.Payload, Future[bytes]]] = collections.deque()
        with ThreadPoolExecutor(concurrent, thread_name_prefix="invocations") as pool:
            try:
                for payload in payloads:
                    waiting.append((payload, pool.submit(self._invoke, server, payload)))
                    if len(waiting) >= 2 * concurrent:
                        first, answer = waiting.popleft()
                        yield first, answer.result()
                while waiting:
                    first, answer = waiting.popleft()
                    yield first, answer.result()
            finally:
                for _, answer in waiting:
                    answer.cancel()

    def _invoke(self, server: ModelServer, payload: records.Payload) -> bytes:
        client = self.request.get("ModelClientConfig") or {}
        retries = int(client.get("InvocationsMaxRetries", _RETRIES))
        headers = {"Content-Type": self.processing.content_type, "Accept": self.processing.accept}
        headers = {name: value for name, value in headers.items() if value}
        for left in range(retries, -1, -1):
            if self._stop.is_set():
                raise TransformStoppedError
            try:
                return server.invoke(
                    payload.body, headers, float(client.get("InvocationsTimeoutInSeconds") or _TIMEOUT_S)
                )
            except (BadAnswerError, OSError, http.client.HTTPException) as error:
                is_client_error = isinstance(error, BadAnswerError) and error.status < 500
                if is_client_error or not left:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")


def _objects(s3: Any, uri: str) -> Iterator[tuple[str, str, str]]:
    """Bucket, key, and name below the prefix's folder of every object the prefix matches."""
    bucket, prefix = _split_uri(uri)
    folder = prefix[: prefix.rfind("/") + 1]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):
                yield bucket, item["Key"], item["Key"].removeprefix(folder)


def _payload_mib(request: Mapping[str, Any]) -> int:
    return int(request.get("MaxPayloadInMB") or _DEFAULT_PAYLOAD_MIB)


def _split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key. Not by `urlsplit`: a key may hold `?` and `#`."""
    if not uri.startswith("s3://"):
        raise TransformFailedError(f"{uri} is not an s3:// URI")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
