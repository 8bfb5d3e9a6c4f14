"""The embedded world: procedural scenes with known truth, an exact judge, and a tiny model that lives in it."""

from srpo.world.dataset import TEST_SPLITS, WorldSettings, build_samples
from srpo.world.knowledge import ASSETS, load_world
from srpo.world.oracle import OracleJudge

__all__ = ["ASSETS", "TEST_SPLITS", "OracleJudge", "WorldSettings", "build_samples", "load_world"]
