"""GRPO with TRL on the embedded world: the judge is the reward.  Usage: python examples/grpo.py [FOLDER]"""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # TRL's trainers report their use unless told not to

from datasets import Dataset, Image, List
from transformers import AutoProcessor
from trl import GRPOConfig, GRPOTrainer

from srpo.rewards import SafetyReward
from srpo.world import ASSETS, OracleJudge, WorldSettings, build_samples

folder, model = Path(sys.argv[1] if sys.argv[1:] else "runs/grpo"), str(ASSETS / "tiny-vlm")
samples = list(build_samples(WorldSettings(train=8, test_scenes=0, test_combinations=0, test_rules=0), folder))
rows = [
    {"prompt": [{"role": "user", "content": s.question}], "images": [str(folder / s.image.path)], "sample": s.id}
    for s in samples
]
processor = AutoProcessor.from_pretrained(model, padding_side="left")
judge, end = OracleJudge(), [processor.tokenizer.eos_token_id]
rewards = [SafetyReward(judge, samples, folder, credit=credit, end_ids=end) for credit in ("answer", "path")]
config = GRPOConfig(
    output_dir=str(folder / "trl"),
    reward_weights=[1.0, 0.5],
    num_generations=8,
    per_device_train_batch_size=16,
    max_completion_length=96,
    temperature=1.2,
    learning_rate=1e-4,
    max_steps=3,
    logging_steps=1,
    bf16=False,
    report_to="none",
)
data = Dataset.from_list(rows).cast_column("images", List(Image()))
trainer = GRPOTrainer(model, rewards, config, train_dataset=data, processing_class=processor)
trainer.train()
print("not judged:", {reward.__name__: dict(reward.failures) for reward in rewards})
