"""The exploration benchmark: equal ids in every way, and counts that fit the setting."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from srpo.cli import app


def test_a_run_writes_its_figures(tmp_path: Path):
    out = tmp_path / "explore.json"
    options = ["--size", "tiny", "--image-tokens", "4", "--steps", "2", "--step-tokens", "2", "--repeats", "1"]
    done = CliRunner().invoke(app, ["bench", "explore", *options, "--json", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert set(result) == {
        *("bench", "setting", "tokens", "lower_bound_tokens", "new_tokens", "new_tokens_per_second", "seconds"),
        *("spread", "ratios", "peak_memory_bytes", "greedy_equal"),
    }
    # Prefixes of 46, 48 and 50 tokens, with 4 branches each of 6, 4 and 2 tokens.
    assert result["new_tokens"] == 4 * 12
    assert result["lower_bound_tokens"] == {"prefill": 50, "decode": 4 * (5 + 3 + 1)}
    assert result["tokens"]["per_prefix"] == {"prefill": 4 * (46 + 48 + 50), "decode": 4 * (5 + 3 + 1)}
    assert result["tokens"]["num_return_sequences"] == result["tokens"]["per_prefix"]
    # The last given token of every branch is fed again, for its logits.
    assert result["tokens"]["tree"] == {"prefill": 50, "decode": 4 * 12}
    assert set(result["greedy_equal"].values()) == {1.0}
