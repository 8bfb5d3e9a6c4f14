"""The embedded world: procedural scenes with known truth, an exact judge, and a tiny model that lives in it."""

from srpo.world.dataset import STUDY_SPLITS, TEST_SPLITS, WorldSettings, build_samples
from srpo.world.knowledge import ASSETS, load_world
from srpo.world.oracle import OracleJudge

__all__ = ["ASSETS", "STUDY_SPLITS", "TEST_SPLITS", "OracleJudge", "WorldSettings", "build_samples", "load_world"]
