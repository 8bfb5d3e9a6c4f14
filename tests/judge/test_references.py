"""References before a judge: what it rejects is left out, and what it could not judge is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chat_server import Answer, Server, chat, serve
from run_files import go, start
from srpo.cli import app
from srpo.config import load_config
from srpo.errors import JudgeError
from srpo.progress import silent
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.references import describe_references, judge_references
from srpo.steps import ANSWER, MARKERS, split
from srpo.types import Sample, Verdict

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
SIZES = ("world.train=3", "world.test_rules=1", "world.test_scenes=0", "world.test_combinations=0")


@pytest.fixture(scope="module")
def data(tmp_path_factory: Any) -> Path:
    """Samples of the embedded world; the reference of the first hazard helps into it."""
    config = load_config(None, [*SIZES, "evaluate.splits=[test_rules]"], RunConfig)
    run = start(tmp_path_factory.mktemp("data") / "world", config)
    go(run, config, ["init"])
    samples = read_records(run.samples, Sample)
    wrong = next(sample for sample in samples if sample.cell == "hazard" and sample.split == "train")
    before = wrong.reference.text.rpartition(MARKERS[ANSWER])[0]
    changed = wrong.model_copy(update={"reference": split(f"{before}{MARKERS[ANSWER]} {wrong.unsafe_reply}")})
    file = run.path / "own.jsonl"
    write_records(file, [changed if sample.id == wrong.id else sample for sample in samples])
    return file


def run_with(data: Path, folder: Path, *overrides: str) -> tuple[RunFolder, RunConfig]:
    config = load_config(None, [f"samples={data}", "evaluate.splits=[test_rules]", *overrides], RunConfig)
    run = start(folder, config)
    go(run, config, ["init"])
    return run, config


def wrong_one(data: Path) -> str:
    return next(sample.id for sample in read_records(data, Sample) if sample.cell == "hazard")


def test_what_the_judge_rejects_is_left_out_and_all_else_is_kept(data, tmp_path):
    run, config = run_with(data, tmp_path / "run")
    judged = judge_references(run, config, silent)
    samples = read_records(run.samples, Sample)
    assert judged.rejected == [wrong_one(data)]
    assert set(judged.outcomes) == {sample.id for sample in samples if sample.split == "train"}
    assert read_records(run.kept, Sample) == [sample for sample in samples if sample.id != wrong_one(data)]
    lines = describe_references(run, judged)
    assert "hazard: 2 accepted, 1 rejected, 0 neither, 0 not judged" in lines[1]
    assert "harmless: 9 accepted, 0 rejected" in lines[2] and wrong_one(data) in lines[3]
    # What is kept makes a run.
    again, other = run_with(run.kept, tmp_path / "again")
    assert judge_references(again, other, silent).rejected == []
    assert "start a run" not in "\n".join(describe_references(again, judge_references(again, other, silent)))


def test_a_reference_that_could_not_be_judged_is_kept_and_counted(data, tmp_path):
    run, config = run_with(data, tmp_path / "run", "judge={kind: simulated, failure_rate: 0.5}")
    judged = judge_references(run, config, silent)
    missing = list(judged.outcomes.values()).count("missing")
    assert missing > 0
    assert len(read_records(run.kept, Sample)) == 16 - len(judged.rejected)
    counted = [int(line.split(", ")[-1].split(" ")[0]) for line in describe_references(run, judged)[1:3]]
    assert sum(counted) == missing


def test_a_stop_costs_only_what_was_not_written(data, tmp_path):
    run, config = run_with(data, tmp_path / "run")
    judge_references(run, config, silent)
    whole = run.references.read_bytes()
    run.references.write_bytes(whole[: len(whole) // 2])
    run.kept.unlink()
    judge_references(run, config, silent)
    assert run.references.read_bytes() == whole and run.kept.exists()


def judge_on(server: Server) -> str:
    return f"judge={{kind: model, model: openai:j, base_url: '{server.base_url}'}}"


def test_the_judge_is_not_shown_the_reference_beside_itself_and_failures_that_pass_are_asked_again(data, tmp_path):
    broken = False

    def reply(payload: dict[str, Any], number: int) -> Answer:
        if broken and "[begin" in json.dumps(payload):
            return Answer({"error": "busy"}, 400)
        verdict = {"reason": "r", "safe": True, "effective": True, "declined": True}
        # Without counts of tokens, as of a server that takes pictures and does not say so.
        return Answer(chat(json.dumps(verdict)) | {"usage": dict.fromkeys(COUNTS, 0)})

    with serve(reply) as server:
        run, config = run_with(data, tmp_path / "run", judge_on(server), "evaluate.judge={kind: oracle}")
        judged = judge_references(run, config, silent)
        asked = [prompt for payload in server.payloads if "[begin" in (prompt := json.dumps(payload))]
        assert len(asked) == 12 and not any("[begin reference" in prompt for prompt in asked)
        assert judged.rejected == []
        verdicts = read_records(run.references, Verdict)
        failed = verdicts[0].model_copy(update={"safe": None, "effective": None, "failure": "timeout", "raw": None})
        write_records(run.references, [failed, *verdicts[1:]])
        server.payloads.clear()
        assert judge_references(run, config, silent).outcomes == judged.outcomes
        assert len([payload for payload in server.payloads if "[begin" in json.dumps(payload)]) == 1
        run.references.unlink()
        broken = True
        with pytest.raises(JudgeError, match="judgements failed"):
            judge_references(run, config, silent)
        assert not run.references.exists()


def test_the_command_says_what_was_rejected_and_what_to_do(data, tmp_path):
    run, _ = run_with(data, tmp_path / "run")
    result = CliRunner().invoke(app, ["judge", "references", str(run.path)])
    assert result.exit_code == 0, result.output
    assert "1 rejected" in result.output and "srpo init NEW" in result.output
