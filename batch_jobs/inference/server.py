"""From the environment to a listening server.

Settings, all SageMaker's own: SM_MODEL_DIR (the unpacked archive), SAGEMAKER_BIND_TO_PORT.
"""

import json
import os
import socket
import sys
from pathlib import Path

import torch
import uvicorn
from safetensors import SafetensorError

from inference.app import create_app
from training.errors import TrainingJobError
from training.predictor import Predictor

# Where SageMaker unpacks model.tar.gz in a container.
CONTAINER_MODEL_FOLDER = Path("/opt/ml/model")
DEFAULT_PORT = 8080
BAD_MODEL = 65


def serve() -> int:
    """Load the model, then answer until SIGTERM; returns the exit code.

    Nothing listens before the model is loaded, so a `/ping` that is answered is a model that is ready.
    """
    folder = Path(os.environ.get("SM_MODEL_DIR", str(CONTAINER_MODEL_FOLDER)))
    try:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        predictor = Predictor.load(folder, device)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, TrainingJobError) as error:
        _log("failed", error=type(error).__name__, message=f"no usable model in {folder}: {error}")
        return BAD_MODEL
    host, port = bind_host(folder), int(os.environ.get("SAGEMAKER_BIND_TO_PORT", DEFAULT_PORT))
    config = uvicorn.Config(create_app(predictor), log_level="warning", access_log=False, lifespan="off", ws="none")
    # Listening from here on: whoever reads the line below may call.
    with socket.create_server((host, port)) as listener:
        _log("serving", host=host, port=port, features=len(predictor.features))
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def bind_host(model_folder: Path) -> str:
    """Every interface in SageMaker's container, which is called from outside; loopback anywhere else.

    A model in SageMaker's own place means SageMaker's container: without one, SM_MODEL_DIR is elsewhere.
    """
    return "0.0.0.0" if model_folder == CONTAINER_MODEL_FOLDER else "127.0.0.1"  # noqa: S104


def _log(event: str, **fields: object) -> None:
    json.dump({"event": event, **fields}, sys.stdout)
    print(flush=True)
