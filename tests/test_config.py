from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from srpo.config import Settings, dump_config, load_config
from srpo.errors import ConfigError
from srpo.run_config import RunConfig


class Train(Settings):
    epochs: int = Field(default=3, gt=0)
    learning_rate: float = 5e-5
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    warm_up: bool = True


class Rules(Settings):
    kind: Literal["rules"] = "rules"
    strict: bool = True


class Asked(Settings):
    kind: Literal["asked"] = "asked"
    model: str
    attempts: int = 2


class Run(Settings):
    name: str = "run"
    seed: int = 0
    out: Path = Path("runs/x")
    train: Train = Train()
    judge: Annotated[Rules | Asked, Field(discriminator="kind")] = Rules()
    stages: tuple[Train, ...] = ()
    extra: Train | None = None
    weights: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _even(self) -> Run:
        if self.seed % 2:
            raise ValueError("seed must be even\nhere")
        return self


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def problem(path: Path | None, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, list(overrides), Run)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_without_file_or_overrides() -> None:
    assert load_config(None, [], Run) == Run()


def test_file_then_overrides_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, "seed: 2\ntrain:\n  epochs: 5\n  targets: [all]\n")
    run = load_config(path, ["train.epochs=7", "out=a/b", "train.epochs=8", "extra.epochs=1"], Run)
    assert run.seed == 2 and run.train == Train(epochs=8, targets=("all",)) and run.out == Path("a/b")
    assert run.extra == Train(epochs=1)


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("train.learning_rate=5e-4", "train.learning_rate", 5e-4),
        ("train.learning_rate=1", "train.learning_rate", 1.0),
        ("train.warm_up=false", "train.warm_up", False),
        ("train.targets=[a, b]", "train.targets", ("a", "b")),
        ("name=no", "name", "no"),
        ("name=2026-01-01", "name", "2026-01-01"),
        ("name=12:30", "name", "12:30"),
        ('name="7"', "name", "7"),
        ("name=a=b", "name", "a=b"),
        ("weights={a: .5}", "weights", {"a": 0.5}),
        ("weights.b=2", "weights", {"b": 2.0}),
        ("extra=", "extra", None),
        (" seed =4", "seed", 4),
    ],
)
def test_override_values_are_yaml(override: str, field: str, value: object) -> None:
    found: Any = load_config(None, [override], Run)
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.epoch=3", ["unknown key train.epoch", "did you mean train.epochs?", "override 'train.epoch=3'"]),
        ("extra.learnign_rate=1", ["unknown key extra.learnign_rate", "did you mean extra.learning_rate?"]),
        ("judge.strct=true", ["kind is missing"]),
        ("judge={kind: rules, strct: true}", ["unknown key judge.strct", "did you mean judge.strict?"]),
        ("stages=[{epochs: 1}, {epoch: 1}]", ["unknown key stages.1.epoch", "did you mean"]),
        ("zzz=1", ["unknown key zzz", "valid keys here: extra, judge, name"]),
        ("judge.kind=asked", ["judge.model is missing"]),
        ("judge.kind=other", ["judge", "'other'", "'rules', 'asked'"]),
        ("train.epochs=three", ["train.epochs: expected a valid integer, got 'three' (text)"]),
        ("train.epochs='3'", ["expected a valid integer, got '3' (text)"]),
        ("train.epochs=3.5", ["expected a valid integer, got 3.5 (a number)"]),
        ("train.epochs=true", ["expected a valid integer, got True (a boolean)"]),
        ("train.epochs=0", ["expected greater than 0, got 0"]),
        ("train.warm_up=yes", ["expected a valid boolean, got 'yes' (text)"]),
        ("name=3", ["expected a valid string, got 3 (a number)"]),
        ("train=", ["train: expected an object, got null"]),
        ("train.targets=q_proj", ["train.targets: expected a valid array, got 'q_proj' (text)"]),
        ("train.epochs.x=1", ["train.epochs: expected a valid integer, got {'x': 1} (a mapping)"]),
        ("seed=3", ["seed must be even here"]),
        ("name=!!set {a}", ["cannot have"]),
        ("train", ["override 'train': expected key=value"]),
        ("=3", ["expected key=value"]),
        ("train..epochs=3", ["expected key=value"]),
        ("train.targets=[a", ["override 'train.targets=[a'", "not valid YAML"]),
        ("name=!!python/object/apply:os.getpid []", ["not valid YAML"]),
    ],
)
def test_wrong_overrides_say_what_and_where(override: str, parts: list[str]) -> None:
    message = problem(None, override)
    assert all(part in message for part in parts), message


def test_override_through_a_value_that_has_no_keys(tmp_path: Path) -> None:
    path = written(tmp_path, "train: {targets: [a]}")
    assert "train.targets is ['a'] (a list)" in problem(path, "train.targets.0=b")


def test_problem_in_the_file_names_the_file_not_the_overrides(tmp_path: Path) -> None:
    path = written(tmp_path, "train:\n  lerning_rate: 1\n")
    message = problem(path, "seed=2", "train.epochs=2")
    assert message.startswith(f"{path}: unknown key train.lerning_rate; did you mean train.learning_rate?")


def test_several_problems_are_named_together_but_not_without_end(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"wrong_{i}: 1\n" for i in range(9)))
    message = problem(path)
    assert "wrong_0" in message and "wrong_4" in message and message.endswith("and 4 more")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["is empty"]),
        ("# only a comment\n", ["is empty"]),
        ("- a\n- b\n", ["expected keys and values", "a list"]),
        ("just words", ["expected keys and values", "'just words' (text)"]),
        ("seed: 1\ntrain: [1\n", ["line 3", "not valid YAML"]),
        ("seed: 1\n\tname: a\n", ["line 2", "not valid YAML"]),
        ("seed: 2\nname: a\nseed: 4\n", ["line 3", "'seed' given twice"]),
        ("train:\n  epochs: 1\n  epochs: 2\n", ["line 3", "'epochs' given twice"]),
        ("a: \x01", ["not valid YAML"]),
        ("weights: &w\n  a: *w\n", ["cannot have"]),
    ],
)
def test_file_that_is_no_configuration(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = written(tmp_path, text)
    message = problem(path)
    assert message.startswith(str(path)) and all(part in message for part in parts), message


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "no such file" in problem(tmp_path / "none.yaml")
    assert "cannot read" in problem(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert "not UTF-8" in problem(tmp_path / "latin.yaml")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Run().seed = 2  # type: ignore[misc]


def test_dump_holds_defaults_and_other_readers_agree() -> None:
    text = dump_config(Run(name="yes", judge=Asked(model="1e5")))
    plain = yaml.safe_load(text)
    assert plain["train"]["epochs"] == 3 and plain["name"] == "yes" and plain["judge"]["model"] == "1e5"


class Words(Settings):
    words: tuple[str, ...]
    numbers: dict[str, float]
    flag: bool | None


AMBIGUOUS = ["5e-5", "1_0", "no", "~", "0x1F", ".inf", "1:30", "null", "=", "<<", "\x85", "a\u2028b", "\r", ""]


@given(
    st.lists(st.text(max_size=8) | st.sampled_from(AMBIGUOUS)),
    st.dictionaries(st.sampled_from(["a", "1", "no", "2e3", "~", "<<"]), st.floats(allow_nan=False)),
    st.sampled_from([True, False, None]),
)
def test_dump_loads_back_equal(words: list[str], numbers: dict[str, float], flag: bool | None) -> None:
    config = Words(words=tuple(words), numbers=numbers, flag=flag)
    assert _reload(config) == config


def _reload(config: Words) -> Words:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        return load_config(path, [], Words)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=-1", "seed: expected greater than or equal to 0"),
        ("seed=4294967296", "seed: expected less than 4294967296"),
        ("world.seed=4294967296", "world.seed: expected 0 to 4294967295, got 4294967296"),
        ("dtype=int8", "dtype: expected 'auto', 'float32', 'bfloat16' or 'float16'"),
        ("train.lr_scheduler_type=cosin", "train.lr_scheduler_type: expected 'linear', 'cosine'"),
        ("train.max_steps=0", "train.max_steps: expected -1 (by epochs) or more than 0, got 0"),
        ("train.max_steps=-2", "expected -1 (by epochs) or more than 0, got -2"),
        ("train.learning_rate=.inf", "train.learning_rate: expected a finite number, got inf"),
        ("explore.sampling.temperature=.nan", "explore.sampling.temperature: expected"),
        ("evaluate.systems=[mine]", "evaluate.systems: no system 'mine'; choose from base, srpo, refuse"),
        ("systems={base: {model: embedded}}", "systems: 'base' cannot be a name"),
        ("systems={'a:b': {model: embedded}}", "systems: 'a:b' cannot be a name"),
        ("train.lora={target_modules: []}", "train.lora.target_modules: "),
    ],
)
def test_settings_of_a_run_that_no_stage_could_use(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override], RunConfig)
    assert message in str(caught.value)
