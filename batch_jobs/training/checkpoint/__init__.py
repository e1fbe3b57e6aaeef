"""Checkpoints: what a run needs to go on where it stopped, on the local disk and in S3.

`Checkpoints` saves and finds them, `Cadence` says when the next is due. What belongs into a checkpoint is the
trainer's business: here it is named tensors and facts.
"""

from training.checkpoint.cadence import Cadence
from training.checkpoint.checkpoints import Checkpoints
from training.checkpoint.file_format import Snapshot
from training.checkpoint.refusal import CheckpointsRefusedError

__all__ = ["Cadence", "Checkpoints", "CheckpointsRefusedError", "Snapshot"]
