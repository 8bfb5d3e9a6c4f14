"""Training on trees: the tree row, the objectives and the trainer (install `srpo[train]`)."""

from srpo.train.batch import TreeDataset
from srpo.train.config import SRPOConfig
from srpo.train.trainer import SRPOTrainer

__all__ = ["SRPOConfig", "SRPOTrainer", "TreeDataset"]
