"""Families of judges, told by names alone."""

from __future__ import annotations

import pytest

from srpo.config import load_config
from srpo.judge.families import family_of, kinship
from srpo.run_config import RunConfig, recipe_path
from srpo.stage_lines import family_lines


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("openai:Qwen/Qwen2.5-VL-72B-Instruct", "qwen"),
        ("hf:/models/InternVL3_5-8B", "internvl"),
        ("gpt-4o@1a2b3c4d", "gpt"),
        ("hf:mistralai/Pixtral-12B-2409", "mistral"),
        ("meta/Llama-Guard-3-11B-Vision@00000000", "llama"),
        ("openai:judge", None),
        ("world-oracle/2", None),
        ("simulated(world-oracle/2; false_safe 0.1; seed 0)", None),
        ("", None),
    ],
)
def test_names_tell_families_or_nothing(name: str, family: str | None) -> None:
    assert family_of(name) == family


def test_one_family_is_said_and_two_are_not() -> None:
    [words] = kinship(["qwen2.5-vl@1", "Qwen3-VL@2"])
    assert "all 2 judges are of one family (qwen)" in words
    assert kinship(["qwen2.5-vl@1", "gemma-3@2"]) == []
    assert kinship(["qwen2.5-vl@1", "my-judge@2"]) == [] and kinship(["qwen2.5-vl@1"]) == [] == kinship([])


def test_a_judge_of_the_family_of_a_system_is_said() -> None:
    systems = {"base": "hf:Qwen/Qwen2.5-VL-3B-Instruct", "other": "openai:gpt-4o", "mine": "hf:runs/checkpoint"}
    [words] = kinship(["openai:Qwen/QwQ-32B", "openai:judge"], systems)
    assert words == "judge openai:Qwen/QwQ-32B is of the family (qwen) of base, and may favour its kin"


def test_settings_of_a_run_are_looked_through() -> None:
    judge = 'evaluate.judge={kind: model, model: openai:Qwen3-VL-8B, base_url: "http://localhost:1/v1"}'
    panel = 'evaluate.panel=[{kind: model, model: openai:Qwen2.5-VL-72B, base_url: "http://localhost:2/v1"}]'
    mine = ("systems.mine.model=hf:google/gemma-3-4b-it", "evaluate.systems=[mine, refuse]")
    found = family_lines(load_config(recipe_path(None), [judge, panel, *mine], RunConfig))
    assert len(found) == 1 and "all 2 judges" in found[0]
    other = panel.replace("Qwen2.5-VL-72B", "gemma-3-27b-it")
    assert family_lines(load_config(recipe_path(None), [judge, other, *mine], RunConfig)) == [
        "judge openai:gemma-3-27b-it is of the family (gemma) of mine, and may favour its kin"
    ]
    assert family_lines(load_config(recipe_path(None), [], RunConfig)) == []
