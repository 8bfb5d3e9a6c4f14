"""The export read by TRL itself: loaded, rendered as its trainers render it, and trained on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from exported_run import export, judged_run, rows_of

from srpo.records import read_records
from srpo.rewards import SafetyReward
from srpo.types import Sample
from srpo.world import ASSETS, OracleJudge

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.filterwarnings("ignore")

MODEL = str(ASSETS / "tiny-vlm")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: Any) -> Any:
    return judged_run(tmp_path_factory.mktemp("runs") / "judged", plain=True)


@pytest.fixture(scope="module")
def processor() -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(MODEL)


def load(judged: Any, folder: Path, kind: Any) -> Any:
    """As `docs/interoperability.md` does it."""
    path = export(*judged, folder / "data", "trl", kind).path
    data = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder / "cache"))
    return data.cast_column("images", datasets.List(datasets.Image()))


def train(trainer: Any, config: Any, folder: Path, data: Any, processor: Any) -> list[dict[str, float]]:
    sizes = {"per_device_train_batch_size": 4, "max_steps": 2, "logging_steps": 1, "max_length": None}
    quiet = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True, "bf16": False, "use_cpu": True}
    args = config(output_dir=str(folder / "out"), learning_rate=1e-4, **sizes, **quiet)
    made = trainer(MODEL, args=args, train_dataset=data, processing_class=processor)
    made.train()
    return [row for row in made.state.log_history if "loss" in row]


def test_rows_load_as_they_were_written(judged, tmp_path):
    data = load(judged, tmp_path, "preference")
    rows = rows_of(tmp_path / "data" / "srpo_preference.jsonl")
    for loaded, row in zip(data, rows, strict=True):
        assert {key: loaded[key] for key in ("prompt", "chosen", "rejected")} == {
            key: row[key] for key in ("prompt", "chosen", "rejected")
        }
        assert loaded["images"][0].size == (96, 96)


def rendered(row: dict[str, Any], processor: Any) -> dict[str, str]:
    """As TRL's collator for pictures and preferences renders a row."""
    from trl.data_utils import apply_chat_template, prepare_multimodal_messages

    prompt = prepare_multimodal_messages(row["prompt"], images=row["images"])
    sides = {side: prepare_multimodal_messages(row[side]) for side in ("chosen", "rejected")}
    return dict(apply_chat_template({"prompt": prompt, **sides}, processor))


def test_a_side_is_rendered_as_one_turn(judged, processor, tmp_path):
    row = load(judged, tmp_path, "preference")[1]
    found = rendered(row, processor)
    assert found["prompt"].startswith("User:<image> ") and found["prompt"].endswith("Assistant:\n")
    assert found["chosen"] == f"{row['chosen'][0]['content']}<end_of_utterance>\n"
    assert found["rejected"].count("<end_of_utterance>") == 1


def test_two_turns_for_prefix_and_branch_would_be_rendered_as_two(judged, processor, tmp_path):
    """Why the prefix stands in both sides: an open turn cannot be said in TRL's format."""
    row = load(judged, tmp_path, "preference")[1]
    text = row["chosen"][0]["content"]
    open_turn = {"role": "assistant", "content": text[:40]}
    split = {**row, "prompt": [*row["prompt"], open_turn], "chosen": [{"role": "assistant", "content": text[40:]}]}
    assert "Assistant:" in rendered(split, processor)["chosen"]


def test_dpo_trains_two_updates_on_the_contrasts(judged, processor, tmp_path):
    losses = train(trl.DPOTrainer, trl.DPOConfig, tmp_path, load(judged, tmp_path, "preference"), processor)
    assert losses[0]["loss"] == pytest.approx(math.log(2), abs=1e-3)  # policy and reference are the same yet
    assert losses[1]["grad_norm"] > 0 and losses[1]["loss"] < losses[0]["loss"]


def test_sft_trains_two_updates_on_the_references(judged, processor, tmp_path):
    losses = train(trl.SFTTrainer, trl.SFTConfig, tmp_path, load(judged, tmp_path, "sft"), processor)
    assert len(losses) == 2
    assert losses[0]["loss"] < 0.5  # what the model was pretrained on, if prompt and path are rendered as they were


def test_requests_carry_what_the_reward_asks_for(judged, tmp_path):
    run, _ = judged
    data = load(judged, tmp_path, "reward")
    samples = read_records(run.samples, Sample)
    texts = {sample.id: sample.reference.text for sample in samples}
    reward = SafetyReward(OracleJudge(), samples, run.path)
    assert reward([texts[name] for name in data["sample"]], sample=data["sample"]) == [1.0] * 16
