"""The data set on its way to the model: shards, cache, profile, and batches from memory or from disk."""

from training.data.blocks import Block
from training.data.open import open_training_data
from training.data.profile import Profile, profile_dataset
from training.data.residence import settle_residence
from training.data.rows import Batch, TrainingData, ValidationBatch
from training.data.shards import ShardReader

__all__ = [
    "Batch",
    "Block",
    "Profile",
    "ShardReader",
    "TrainingData",
    "ValidationBatch",
    "open_training_data",
    "profile_dataset",
    "settle_residence",
]
