"""Building of datasets: the stages of `srpo.data` over files, models and public benchmarks."""

from srpo.building.dataset import BuildOptions, Built, build_dataset
from srpo.building.estimate import Estimate, estimate
from srpo.building.tables import built_table, estimate_table

__all__ = ["BuildOptions", "Built", "Estimate", "build_dataset", "built_table", "estimate", "estimate_table"]
