"""Training in several processes does what one process does, and is stopped and resumed like it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from argparse import Namespace

import psutil
import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file

from run_files import ENVIRONMENT, call, command, copy_of, error_line, go, small, start, write_trees
from srpo.errors import ConfigError
from srpo.launch import launch_arguments, shipped
from srpo.processes import shared_update
from srpo.run_config import TrainSettings
from srpo.runs import RunFolder
from srpo.training import last_checkpoint, training_arguments


@pytest.fixture(scope="module")
def judged(tiny_model, tmp_path_factory) -> RunFolder:
    """A run that can be trained, with eight updates."""
    config = small(tiny_model, "train.max_steps=8")
    run = start(tmp_path_factory.mktemp("launch") / "run", config)
    go(run, config, ["init"])
    write_trees(run)
    go(run, config, ["judge"])
    return run


def losses(run: RunFolder) -> list[float]:
    rows = json.loads((run.checkpoint / "final" / "log.json").read_text())
    return [row["loss"] for row in rows if "loss" in row]


def test_two_processes_killed_and_resumed_train_what_one_does(judged, tiny_model, tmp_path):
    one, two = copy_of(judged, tmp_path / "one"), copy_of(judged, tmp_path / "two")
    go(one, small(tiny_model, "train.max_steps=8"), ["train"])
    launch = command("train", two.path, "--launch", "cpu2")
    with subprocess.Popen(launch, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
        while last_checkpoint(two.checkpoint) is None:
            assert process.poll() is None
            time.sleep(0.02)
        # All processes, as when a machine goes down.
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in tree:
            member.kill()
        assert len(tree) == 3 and not psutil.wait_procs(tree[1:], timeout=30)[1]
    assert not (two.checkpoint / "final").exists()
    done = call("train", two.path, "--launch", "--num_processes 2 --main_process_port 0")
    assert done.returncode == 0, done.stderr
    assert "train srpo: 0 of 8" not in done.stdout and done.stdout.count("load trainer: 0 of 1") == 1
    assert losses(two) == pytest.approx(losses(one), abs=1e-6)
    weights, others = (load_file(run.checkpoint / "final" / "model.safetensors") for run in (one, two))
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=0, atol=2e-6)
    assert two.contrasts.read_bytes() == one.contrasts.read_bytes()
    assert two.read_manifest().inputs == one.read_manifest().inputs and two.read_manifest().seconds["train"] > 0
    assert {path.name for path in two.checkpoint.iterdir()} == {"checkpoint-8", "final"}


def test_a_held_run_starts_no_processes(judged):
    with judged.lock():
        done = call("train", judged.path, "--launch", "cpu2")
    assert f"in use by process {os.getpid()}" in error_line(done.returncode, done.stderr)


def test_an_option_that_accelerate_does_not_know_is_one_line(judged):
    done = call("train", judged.path, "--launch", "--num_proceses 2")
    assert "unrecognized arguments: --num_proceses" in error_line(done.returncode, done.stderr)


def test_options_go_on_top_of_a_file():
    ddp, fsdp2 = str(shipped()["ddp"]), str(shipped()["fsdp2"])
    assert launch_arguments("--num_processes 4") == ["--config_file", ddp, "--num_processes", "4"]
    assert launch_arguments("fsdp2 --num_processes 4") == ["--config_file", fsdp2, "--num_processes", "4"]
    assert launch_arguments("--config-file 'my own.yaml'") == ["--config-file", "my own.yaml"]
    with pytest.raises(ConfigError, match=r"--launch none\.yaml: no such file; .* cpu2, ddp, deepspeed_zero3, fsdp2"):
        launch_arguments("none.yaml")
    with pytest.raises(ConfigError, match="No closing quotation; write it as in a shell"):
        launch_arguments("'a")


@pytest.mark.parametrize(
    ("batch", "accumulation", "processes", "own"),
    [
        (16, 1, 1, (16, 1)),
        (16, 1, 2, (8, 1)),
        (1, 8, 4, (1, 2)),
        (3, 4, 2, (3, 2)),
        # 12 trees in all; 6 for each of two, of which at most 4 at once
        (4, 3, 2, (3, 2)),
    ],
)
def test_an_update_keeps_its_trees(batch, accumulation, processes, own):
    assert shared_update(batch, accumulation, processes) == own


def test_an_update_that_cannot_be_shared():
    with pytest.raises(ConfigError, match=r"an update has 8 trees .* which 3 processes cannot share evenly"):
        shared_update(4, 2, 3)


# --- Configuration files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cpu2", "ddp", "deepspeed_zero3", "fsdp2"])
def test_accelerate_reads_our_files(name):
    config, arguments = load_config_from_file(str(shipped()[name])), _arguments(name)  # the first refuses unknown keys
    assert arguments.num_processes == 4 and arguments.mixed_precision == "no" and config.num_machines == 1
    kinds = {"cpu2": "multi_gpu", "ddp": "multi_gpu", "deepspeed_zero3": "use_deepspeed", "fsdp2": "use_fsdp"}
    assert [kind for kind in ("multi_gpu", "use_deepspeed", "use_fsdp") if getattr(arguments, kind)] == [kinds[name]]


def _arguments(name: str) -> Namespace:
    """What `accelerate launch` makes of one of our files."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    words = ["--config_file", str(shipped()[name]), "--num_processes", "4", "-m", "srpo", "train", "run"]
    arguments: Namespace = _validate_launch_command(launch_command_parser().parse_args(words))[0]
    return arguments


def test_the_processes_build_fsdp2_from_our_file(monkeypatch):
    from accelerate.utils import FullyShardedDataParallelPlugin
    from accelerate.utils.launch import prepare_multi_gpu_env

    for name, value in prepare_multi_gpu_env(_arguments("fsdp2")).items():
        monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward, plugin.cpu_ram_efficient_loading) == (2, True, False)
    assert plugin.auto_wrap_policy is not None and plugin.state_dict_type.name == "FULL_STATE_DICT"


def test_the_processes_build_zero3_from_our_file(monkeypatch):
    from accelerate.utils import DeepSpeedPlugin
    from accelerate.utils.launch import prepare_deepspeed_cmd_env

    arguments = _arguments("deepspeed_zero3")
    arguments.deepspeed_fields_from_accelerate_config = ""  # as `accelerate launch` does once it has found deepspeed
    for name, value in prepare_deepspeed_cmd_env(arguments)[1].items():
        monkeypatch.setenv(name, value)
    plugin = DeepSpeedPlugin()
    zero = plugin.deepspeed_config["zero_optimization"]
    assert zero["stage"] == 3 and zero["stage3_gather_16bit_weights_on_model_save"] is True
    assert zero["offload_param"]["device"] == zero["offload_optimizer"]["device"] == "none"
    assert plugin.zero3_init_flag is False


def test_bf16_needs_no_gpu(tmp_path):
    arguments = training_arguments(TrainSettings(bf16=True), tmp_path, 0)
    assert arguments.bf16 and arguments.use_cpu != torch.cuda.is_available()
