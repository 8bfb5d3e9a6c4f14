"""A run whose model lives behind `srpo serve`."""

from __future__ import annotations

from pathlib import Path

import pytest
from serve_process import KEY

import run_files
from srpo.config import load_config
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.types import Completion, Tree


def test_run_explores_through_the_server_and_keeps_the_replies(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = ("model=openai:embedded", "world.train=1", f"response_cache={tmp_path / 'cache'}")

    def trees(name: str, url: str) -> list[Tree]:
        overrides = [*run_files.SMALL, *settings, f"base_url=[{url}, {url}]"]
        config = load_config(run_files.RECIPES / "demo.yaml", overrides, RunConfig)
        run = run_files.start(tmp_path / name, config)
        run_files.go(run, config, ["init", "explore"])
        return list(read_records(run.trees, Tree))

    first = trees("first", server_url)
    assert len(first) == 4 and all(tree.nodes[i].token_ids for tree in first for i in tree.branches)
    assert (tmp_path / "cache" / "responses.sqlite").stat().st_size > 0
    assert trees("second", server_url) == first


def test_run_measures_a_model_that_is_only_behind_the_server(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = ("model=openai:embedded", f"base_url={server_url}", "world.train=1", "evaluate.systems=[base]")
    config = load_config(run_files.RECIPES / "demo.yaml", [*run_files.SMALL, *settings], RunConfig)
    run = run_files.start(tmp_path / "run", config)
    run_files.go(run, config, ["init", "evaluate"])
    answers = list(read_records(run.responses, Completion))
    assert len(answers) == 24 and all(a.text and a.finish != "error" and a.system == "base" for a in answers)
