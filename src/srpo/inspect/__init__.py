"""inspect_ai as another engine for the same benchmarks (`docs/engines.md`); needs `srpo[inspect]`.

The package's entry point for inspect_ai names this module, so that importing it registers all of it.
"""

from srpo.inspect.answers import records_from_log, responses_from_log
from srpo.inspect.model import srpo_models
from srpo.inspect.public import benchmark, benchmark_rates, benchmark_scorer
from srpo.inspect.rsbench import rsbench, rsbench_rates, rsbench_scorer

__all__ = [
    "benchmark",
    "benchmark_rates",
    "benchmark_scorer",
    "records_from_log",
    "responses_from_log",
    "rsbench",
    "rsbench_rates",
    "rsbench_scorer",
    "srpo_models",
]
