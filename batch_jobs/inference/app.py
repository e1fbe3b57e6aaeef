"""The two routes SageMaker calls.

Source: "Use your own inference code with Batch Transform" (SageMaker developer guide).
"""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference.payload import (
    MEDIA_TYPES,
    BadLineError,
    parse_rows,
    render,
    require_finite_features,
    require_finite_outputs,
)
from training.predictor import Predictor


def create_app(predictor: Predictor) -> Starlette:
    async def ping(_request: Request) -> Response:
        return Response()

    async def invocations(request: Request) -> Response:
        given = media_type(request.headers.get("content-type", ""))
        if given is None:
            return _refusal(415, "content-type", request.headers.get("content-type"))
        wanted = accepted(request.headers.get("accept", ""), given)
        if wanted is None:
            return _refusal(406, "accept", request.headers.get("accept"))
        body = await request.body()
        try:
            # In a thread, so that /ping is answered while the model works.
            answer = await run_in_threadpool(_predict, predictor, body, given, wanted)
        except BadLineError as error:
            return JSONResponse(error.document, status_code=400)
        return Response(answer, media_type=wanted)

    return Starlette(
        routes=[Route("/ping", ping, methods=["GET"]), Route("/invocations", invocations, methods=["POST"])]
    )


def media_type(header: str) -> str | None:
    """The format a header names, or None for one that is not spoken here."""
    return MEDIA_TYPES.get(header.partition(";")[0].strip().lower())


def accepted(header: str, given: str) -> str | None:
    """The first known format of an Accept header; the request's own where anything goes."""
    for part in header.split(","):
        name = part.partition(";")[0].strip()
        if name in ("", "*/*"):
            return given
        if (known := media_type(name)) is not None:
            return known
    return None


def _predict(predictor: Predictor, body: bytes, given: str, wanted: str) -> bytes:
    rows = parse_rows(body, given, predictor.features)
    if not len(rows):
        return b""
    scaled = predictor.normalisation.apply(rows)
    require_finite_features(scaled, predictor.features)
    outputs = predictor.outputs(scaled)
    require_finite_outputs(outputs)
    return render(predictor.task.decode(outputs), predictor.task.classes, wanted)


def _refusal(status: int, header: str, value: str | None) -> Response:
    mend = f"use one of {', '.join(MEDIA_TYPES)}"
    return JSONResponse({"field": header, "problem": f"is {value!r}", "mend": mend}, status_code=status)
