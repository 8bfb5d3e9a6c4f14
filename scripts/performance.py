"""Write the tables of docs/performance.md and docs/figures/performance.svg from the files in docs/measurements.

Usage: python scripts/performance.py
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter

from srpo.bench.setting import Bench, ExploreBench, TrainBench
from srpo.bench.table import explore_line, train_line
from srpo.report.charts import Bar, BarGroup, Words, bar_chart

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "figures" / "performance.svg"
MEASUREMENTS = ROOT / "docs" / "measurements"
BEGIN, END = "<!-- measurements: written by scripts/performance.py -->\n", "<!-- /measurements -->\n"

RESULT: TypeAdapter[TrainBench | ExploreBench] = TypeAdapter(TrainBench | ExploreBench)
NAMES = {"per_prefix": "per branch", "num_return_sequences": "per prefix"}
STYLE = """
.plot { font: 12px system-ui, sans-serif; } .plot text { fill: #1c2126; } .plot .label { font-weight: 600; }
.plot .name, .plot .tick, { fill: #5a636c; } .plot .grid { stroke: #e0e3e6; }
.whisker { stroke: #1c2126; stroke-width: 1.5; } .s0 { fill: #d97a1e; } .s1 { fill: #2268b2; } .s2 { fill: #3c8d7d; }
.s3 { fill: #7a5aa8; }
"""


def main() -> None:
    results = load()
    PAGE.write_text(page(results), encoding="utf-8")
    CHART.write_text(chart(list(results.values())), encoding="utf-8")
    print(PAGE, CHART, sep="\n")


def load() -> dict[str, TrainBench | ExploreBench]:
    """Measurements by file name."""
    files = [*sorted(MEASUREMENTS.glob("train-*.json")), *sorted(MEASUREMENTS.glob("explore-*.json"))]
    return {file.name: RESULT.validate_json(file.read_bytes()) for file in files}


def page(results: dict[str, TrainBench | ExploreBench]) -> str:
    """The page with its tables written anew."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(part for name, result in results.items() for part in section(name, result))
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def section(name: str, result: TrainBench | ExploreBench) -> Iterator[str]:
    yield f"### {title(result)}\n"
    yield f"`docs/measurements/{name}`: {options(result)}.\n"
    rows = list(train_rows(result) if isinstance(result, TrainBench) else explore_rows(result))
    yield from (f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
    line = train_line(result) if isinstance(result, TrainBench) else explore_line(result)
    yield f"\n{line[0].upper()}{line[1:]}.\n"


def train_rows(result: TrainBench) -> Iterator[list[str]]:
    yield ["way", "tokens", "over bound", "TFLOP", "seconds (range)", "times the tree", "peak memory"]
    for way, tokens in result.tokens.items():
        bound, flops = result.ratios["tokens over lower bound"][way], result.flops[way] / 1e12
        memory = result.peak_memory_bytes[way]
        yield [way, f"{tokens:,}", f"{bound:.2f}", f"{flops:.2f}", *timed(result, way), mebibytes(memory)]


def explore_rows(result: ExploreBench) -> Iterator[list[str]]:
    yield ["way", "prefill", "decode", "over bound", "new tokens per s", "seconds (range)", "times the tree", "peak"]
    for way, counts in result.tokens.items():
        bound = result.ratios["tokens over lower bound"][way]
        speed, memory = result.new_tokens_per_second[way], result.peak_memory_bytes[way]
        tokens = [f"{counts['prefill']:,}", f"{counts['decode']:,}"]
        yield [way, *tokens, f"{bound:.2f}", f"{speed:,.0f}", *timed(result, way), mebibytes(memory)]


def timed(result: Bench, way: str) -> list[str]:
    spread = result.spread[way]
    times = f"{result.seconds[way]:.2f} ({spread.low:.2f} to {spread.high:.2f})"
    return [times, f"{result.ratios['seconds'].get(way, 1.0):.1f}"]


def mebibytes(count: int | None) -> str:
    return "not measured" if count is None else f"{count / 2**20:,.0f} MiB"


def title(result: Bench) -> str:
    what = "Training step" if isinstance(result, TrainBench) else "Exploration"
    return f"{what}, {result.setting['size']}, {result.setting['dtype']}, {result.setting['device']}"


def options(result: Bench) -> str:
    s = result.setting
    branch = f"of {s['branch_tokens']} tokens" if s["branch_tokens"] else "to the end of the path"
    words = [
        f"picture {s['image_tokens']} tokens, {s['steps']} steps and a reply of {s['step_tokens']} tokens each",
        f"{s['branches']} branches per prefix, {branch}",
        f"{s['trees']} tree(s), median of {s['repeats']}, {s['device_name']}, {s['threads']} thread(s)",
        f"torch {s['torch']}, transformers {s['transformers']}",
    ]
    if isinstance(result, TrainBench):
        words.insert(2, f"pictures {s['vision']}, {'adapters' if s['lora'] else 'all weights of the language model'}")
    return "; ".join(words)


def chart(results: list[TrainBench | ExploreBench]) -> str:
    """Seconds over those of the tree, a group per measurement."""
    groups = [BarGroup(title(result), tuple(bars(result))) for result in results]
    longest = max((bar.value or 0.0 for group in groups for bar in group.bars), default=1.0)
    words = Words("performance", "Seconds, as a multiple of the tree's", "the same numbers stand in the tables")
    plot = str(bar_chart(words, groups, longest))
    width, height = 760, int(plot.split('height="', 1)[1].split('"', 1)[0])
    box = f'viewBox="-12 -8 {width + 24} {height + 16}" width="{width + 24}" height="{height + 16}"'
    ground = f'<rect x="-12" y="-8" width="{width + 24}" height="{height + 16}" fill="#fcfcfb"/>'
    inner = plot.replace('width="100%"', f'width="{width}"', 1)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}><style>{STYLE}</style>{ground}{inner}</svg>\n'


def bars(result: Bench) -> Iterator[Bar]:
    for way, seconds in result.seconds.items():
        ratio = result.ratios["seconds"].get(way, 1.0)
        yield Bar(NAMES.get(way, way), ratio, f"{ratio:.1f} times, {seconds:.3g} s")


if __name__ == "__main__":
    main()
