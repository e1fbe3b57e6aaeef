"""Whether the train split lies in memory or is streamed: settled once, alike on all workers and in all attempts.

The order of rows is another one in either case. Workers that chose for themselves would use some rows twice and
others never, and an attempt that chose anew could not go on from a checkpoint.
"""

import torch

from training.data.profile import Profile
from training.data.resident import RESIDENT, resident_bytes
from training.errors import BadConfigurationError
from training.world import World

# Of a GPU's free memory. The rest is for gradients, what the model keeps for them, and the exchange among workers.
SHARE_OF_GPU = 0.5
# A resumed run has no choice, and must not end because a little less is free than at its start. On the host the room
# comes from elsewhere: the rows as they were read need not stay beside those on the device.
SHARE_OF_GPU_WHEN_RESUMED = 0.75


def settle_residence(profile: Profile, world: World, order: str | None) -> bool:
    """Whether all workers are to hold the train split in memory. `order` is the checkpoint's, None without one.

    A new run does if every worker can. A resumed one does as its checkpoint did. All workers must call it.

    Raises: BadConfigurationError when a checkpoint wants the data in memory and a worker has not enough.
    """
    if order is None:
        (one_cannot,) = world.highest([not _can_hold(profile, world.device)])
        return not one_cannot
    if order != RESIDENT:
        return False
    (missing,) = world.highest([_missing_bytes(profile, world.device)])
    if missing:
        raise BadConfigurationError(
            f"the checkpoint was taken with the data in memory, where their {resident_bytes(profile)} bytes no longer "
            f"fit: a worker has {missing} bytes too few",
            "give the job as much memory as before (the instance, the job definition's memory, processes_per_node), "
            "or delete the run's checkpoints/ to begin it again",
        )
    return True


def _can_hold(profile: Profile, device: torch.device) -> bool:
    if not profile.fits_in_memory:
        return False
    return device.type != "cuda" or resident_bytes(profile) <= SHARE_OF_GPU * _free_bytes(device)


def _missing_bytes(profile: Profile, device: torch.device) -> int:
    """What a worker of a resumed run lacks; 0 if it can hold the train split."""
    if device.type == "cuda":
        room = int(SHARE_OF_GPU_WHEN_RESUMED * _free_bytes(device))
    elif profile.fits_in_memory:
        return 0
    else:
        room = profile.budget_bytes
    return max(0, resident_bytes(profile) - room)


def _free_bytes(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    return free
