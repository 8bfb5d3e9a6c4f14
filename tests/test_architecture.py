"""The layers, sizes and names of `CONTRIBUTING.md`, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import srpo
from srpo.config import load_config
from srpo.run_config import RunConfig

ROOT = Path(srpo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

LEVELS = (
    ("types", "errors"),
    (
        "records",
        "config",
        "runs",
        "stage_files",
        "logic",
        "steps",
        "formats",
        "stats",
        "rates",
        "prompts",
        "processes",
        "listen",
        "bodies",
        "pictures",
    ),
    ("models",),
    ("judge",),
    ("explore", "train", "evaluate", "benchmarks", "report", "world", "data"),
    ("progress",),
    (
        "run_config",
        "systems",
        "own_samples",
        "own_items",
        "inputs",
        "finished",
        "answered",
        "scoring",
        "probes",
        "wording",
    ),
    (
        "stages",
        "stage_lines",
        "training",
        "tables",
        "summarize",
        "item_pages",
        "reporting",
        "comparing",
        "calibrate",
        "engines",
        "building",
    ),
    ("rewards", "export", "launch", "ray_shards", "inspect", "lmms_eval", "review", "publish"),
    ("serve", "bench", "study"),
    ("simulate",),
    ("cli",),
    ("__main__",),
)
"""From below to above; a part imports its own level or lower ones."""

SIBLINGS = LEVELS[4]
"""These never import one another."""

WITH_TORCH = {
    *(f"models/{name}" for name in ("hf", "encode", "decode", "cache", "families", "processor", "sampling")),
    *(f"train/{path.stem}" for path in (ROOT / "train").glob("*.py") if path.stem != "pack"),
    *(f"world/{name}" for name in ("tiny", "tiny_text", "corpus", "pretrain")),
    *(f"bench/{name}" for name in ("model", "trees", "measure", "passes", "train", "explore", "trl")),
    "serve/local",
    "training",
}
"""The only files that need more than the base install."""

HEAVY = {"torch", "transformers", "peft", "tokenizers", "safetensors", "accelerate"}

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
"""`file` or `file:function` -> why it may be longer than the rest."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of all imported modules, and of what is imported from `srpo` itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from [f"srpo.{alias.name}" for alias in node.names] if node.module == "srpo" else [str(node.module)]


def at_module_level(tree: ast.Module) -> Iterator[str]:
    """Imports that run when the module is imported."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imported(ast.Module([node], []))
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def part_of(module: str) -> str:
    """`srpo.models.hf` -> `models`; the package's own `__init__` is no part."""
    return module.split(".")[1]


def level_of(part: str) -> int:
    return next(number for number, level in enumerate(LEVELS) if part in level)


def edges() -> Iterator[tuple[str, str, str]]:
    """(file, its part, the part it imports), lazy imports included."""
    for path in FILES:
        part = name_of(path).split("/")[0]
        if part == "__init__":
            continue  # it loads public names late, whatever their level
        for module in imported(tree_of(path)):
            if module.startswith("srpo.") and module != "srpo.__version__":
                yield name_of(path), part, part_of(module)


def test_every_part_has_a_level():
    parts = {name_of(path).split("/")[0] for path in FILES} - {"__init__"}
    assert parts == {part for level in LEVELS for part in level}


def test_imports_point_downward():
    assert [f"{file} imports {other}" for file, part, other in edges() if level_of(part) < level_of(other)] == []


def test_siblings_never_meet():
    sideways = [
        f"{file} imports {other}"
        for file, part, other in edges()
        if part in SIBLINGS and other in SIBLINGS and part != other
    ]
    assert sideways == []


def test_types_and_errors_import_nothing_of_ours():
    found = [(file, other) for file, part, other in edges() if part in LEVELS[0] and other != part]
    assert found == []


def test_heavy_libraries_are_imported_where_they_belong():
    found = {
        name_of(path): heavy
        for path in FILES
        if (heavy := {module.partition(".")[0] for module in at_module_level(tree_of(path))} & HEAVY)
    }
    assert {file: heavy for file, heavy in found.items() if file not in WITH_TORCH} == {}


BLOCKED = f"""
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(HEAVY)!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Block())
"""


def without_torch(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True)


def test_everything_else_imports_without_torch():
    light = [name for name in map(name_of, FILES) if name not in WITH_TORCH and not name.startswith("train/")]
    modules = [f"srpo.{name}".replace("/", ".").removesuffix(".__init__") for name in light if name != "__main__"]
    done = without_torch(f"for name in {modules!r}: importlib.import_module(name)\nprint('imported')")
    assert done.stdout == "imported\n", done.stderr
    assert len(modules) > 40


def test_a_model_without_torch_says_what_to_install():
    done = without_torch("from srpo.models import load_model\nload_model('hf:/none')")
    assert 'pip install "srpo[train]"' in done.stderr.splitlines()[-1]


def test_files_are_short():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 350 and name not in LONG_FILES} == {}


def test_functions_are_short():
    long = {
        f"{name_of(path)}:{node.name}": length
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or 0) - node.lineno + 1) > 60
    }
    assert {name: length for name, length in long.items() if name not in LONG_FUNCTIONS} == {}


def test_files_are_named_by_what_they_hold():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}
    assert [path for path in FILES if path.stem in vague or path.parent.name in vague] == []


def test_every_file_says_what_it_is():
    assert [name_of(path) for path in FILES if not ast.get_docstring(tree_of(path))] == []


def test_public_names_resolve():
    assert sorted(srpo.__all__) == srpo.__all__
    assert all(getattr(srpo, name).__name__ == name for name in srpo.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        srpo.nothing  # noqa: B018


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_parse(path):
    assert load_config(path, [], RunConfig).train.max_steps != 0


@pytest.mark.parametrize(
    "name",
    [
        *("world/assets/sprites.png", "world/assets/world.yaml", "world/assets/household.yaml"),
        "world/assets/LICENSE-fluent-emoji",
        *("prompts/six_steps.txt", "prompts/judge_answer.txt", "prompts/judge_path.txt"),
        *(
            "report/templates/report.html.j2",
            "report/templates/report.css",
            "report/templates/browser/page.js",
            "lmms_eval/rsbench.yaml",
            "recipes/demo.yaml",
            "study/full.yaml",
            "study/text.yaml",
            "study/plans.yaml",
            "py.typed",
        ),
    ],
)
def test_files_are_packaged(name):
    file = resources.files("srpo") / name
    assert (file.is_file() and file.read_bytes()[:1] != b"") or name == "py.typed"
