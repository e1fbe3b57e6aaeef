"""Serves only requests whose signature is right. Nothing on the cloud's port is served without one.

Not behind this gate, because it is on ports of its own: the instance metadata of a Spot job, which has its own token
and tells only that host's end, and the model servers of transform jobs.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from local_cloud.gatekeeper import WsgiApplication
from local_cloud.signatures import canonical, claims, keys, payloads
from local_cloud.signatures.claims import Claim, OldClaim
from local_cloud.signatures.refusals import Kind, Refused, answer

SIGNER = "local_cloud.signer"
"""Where in a verified request's environment stand the access key id and the session token that it was signed with."""
_SKEW = datetime.timedelta(minutes=15)


def signed(application: WsgiApplication) -> WsgiApplication:
    """`application`, asked only what carries a right signature; the rest is refused as the service would."""

    def served(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            verify(environ)
        except Refused as refused:
            status, headers, body = answer(refused, environ)
            start_response(status, headers)
            return [body]
        return application(environ, start_response)

    return served


def verify(environ: dict[str, Any]) -> None:
    """Raises: Refused unless the request carries the signature of a key that this cloud knows."""
    if not environ.get("RAW_URI", "").startswith("/"):
        raise Refused(Kind.INCOMPLETE, "the request's target must be a path")
    claim = claims.read(environ)
    secret = keys.secret_of(claim.access_key_id, claim.token)
    environ[SIGNER] = (claim.access_key_id, claim.token)
    if isinstance(claim, OldClaim):
        _verify_old(claim, secret, environ)
        return
    _require_time(claim)
    declared = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if not canonical.matches(claim, secret, environ, _payload_hash(claim, declared, environ)):
        raise Refused(
            Kind.MISMATCH,
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method",
        )
    _verify_payload(claim, secret, declared, environ)
    if claim.expires_s is not None:
        _show_credential(claim, environ)


def _payload_hash(claim: Claim, declared: str | None, environ: dict[str, Any]) -> str:
    """What stands for the body in the canonical request."""
    if declared is not None:
        return declared
    if claim.is_s3 and claim.expires_s is not None:
        return payloads.UNSIGNED
    if claim.is_s3:
        raise Refused(Kind.NO_PAYLOAD_HASH, "Missing required header for this request: x-amz-content-sha256")
    return hashlib.sha256(payloads.read(environ, payloads.LARGEST_UNVERIFIED_BYTES)).hexdigest()


def _verify_payload(claim: Claim, secret: str, declared: str | None, environ: dict[str, Any]) -> None:
    if declared is None:
        return
    if declared in (payloads.STREAMING, payloads.STREAMING_TRAILER):
        payloads.require_chunks(environ, claim, secret)
    elif declared not in (payloads.UNSIGNED, payloads.STREAMING_UNSIGNED):
        payloads.require_hash(environ, declared)
    elif not claim.is_s3:
        raise Refused(Kind.WRONG_PAYLOAD, f"{declared} is for S3: {claim.service} wants the body signed")


def _require_time(claim: Claim) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"""
    now = datetime.datetime.now(datetime.UTC)
    try:
        then = datetime.datetime.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise Refused(Kind.INCOMPLETE, "X-Amz-Date is no time") from error
    if then > now + _SKEW:
        raise Refused(Kind.SKEWED, f"Signature not yet current: {claim.timestamp} is later than {now:%Y%m%dT%H%M%SZ}")
    if claim.expires_s is not None:
        if then + datetime.timedelta(seconds=claim.expires_s) < now:
            raise Refused(Kind.EXPIRED_URL, "Request has expired")
    elif then < now - _SKEW:
        raise Refused(Kind.SKEWED, f"Signature expired: {claim.timestamp} is earlier than {now - _SKEW:%Y%m%dT%H%M%SZ}")


def _verify_old(claim: OldClaim, secret: str, environ: dict[str, Any]) -> None:
    if not claim.expires.isascii() or not claim.expires.isdigit():
        raise Refused(Kind.INCOMPLETE, "Expires must be a number of seconds since 1970")
    if int(claim.expires) < datetime.datetime.now(datetime.UTC).timestamp():
        raise Refused(Kind.EXPIRED_URL, "Request has expired")
    if not canonical.old_matches(claim, secret, environ, _bucket_path(environ)):
        raise Refused(Kind.MISMATCH, "the signature of the presigned URL does not match")


def _bucket_path(environ: dict[str, Any]) -> str:
    """`/bucket` where the host names the bucket, as in bucket.localhost; else nothing."""
    host = environ.get("HTTP_HOST", "").partition(":")[0]
    bucket = host.removesuffix(".localhost")
    return f"/{bucket}" if bucket != host else ""


def _show_credential(claim: Claim, environ: dict[str, Any]) -> None:
    """Tell moto whose presigned URL this is: it finds account, Region and service in this header only."""
    scope = f"{claim.access_key_id}/{claim.date}/{claim.region}/{claim.service}/aws4_request"
    names = ";".join(claim.signed_headers)
    environ["HTTP_AUTHORIZATION"] = (
        f"{claims.ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={claim.signature}"
    )
