"""Run by `test_sharding.py`: three updates on four trees in one process, or sharded by FSDP2 in those of a launcher."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import tiny
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from peft import LoraConfig

from srpo.train import SRPOConfig, SRPOTrainer


def shard_on_cpus() -> None:
    """accelerate shards on GPUs only; told that these were some, it does the same here."""
    PartialState._prepare_backend = lambda self, *a: ("gloo", DistributedType.MULTI_GPU)
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"


def main(folder: Path, adapters: bool, resume: bool) -> None:
    torch.set_num_threads(1)
    world, rank = (int(os.environ.get(name, default)) for name, default in (("WORLD_SIZE", "1"), ("RANK", "0")))
    if world > 1:
        shard_on_cpus()
    model, processor = tiny.idefics3()
    pictures = folder / f"pictures-{rank}"
    pictures.mkdir(parents=True, exist_ok=True)
    args = SRPOConfig(
        output_dir=str(folder),
        contrast_lambda=0.3,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=4 // world,
        max_steps=3,
        # Trees have 264 to 280 tokens: some are split, so the processes need unequal numbers of passes.
        max_step_tokens=268 if world > 1 and adapters else None,
        warmup_steps=0,
        logging_steps=1,
        save_steps=2,
        disable_tqdm=True,
        use_cpu=world == 1,
    )
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM") if adapters else None
    data = tiny.dataset(pictures, processor.tokenizer, 4)
    trainer = SRPOTrainer(model.double(), args, data, processing_class=processor, peft_config=lora)
    trainer.train(resume_from_checkpoint=str(folder / "checkpoint-2") if resume else None)
    if rank == 0:
        kinds = {type(p.data).__name__ for p in trainer.model.parameters() if p.requires_grad}
        (folder / "kinds.json").write_text(json.dumps([type(trainer.model).__name__, *sorted(kinds)]))
    if world > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "adapters" in sys.argv, "resume" in sys.argv)
