"""Make a tiny model: learn to see, learn the facts in the path format, then learn to slip.

1. vision: name the object in each quarter of the picture (cross-entropy on the mean of the quarter's patches);
2. clean: reference paths of all rules, so that the knowledge sits where it is used;
3. mixed: demonstrations with slips (`srpo.world.slips`), so that the base is competent and not aligned.

A model of words alone (`context=words`) has nothing to see, and no first phase.  A model of the household begins with
the shipped one, which can see; it learns new words, and goes through 2 and 3.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from srpo.config import Settings
from srpo.errors import DataError
from srpo.records import write_text
from srpo.world.card import MADE
from srpo.world.corpus import Batch, Corpus, draw_random_scene, to_pixels
from srpo.world.dataset import Context
from srpo.world.domain import load_domain
from srpo.world.draw import SIZE, draw_scene
from srpo.world.household import load_household
from srpo.world.knowledge import ASSETS, DomainName, World, load_world
from srpo.world.scenes import SLOTS
from srpo.world.slips import SlipRates
from srpo.world.tiny import PATCH, build_model, build_processor, build_tokenizer, enlarge_model
from srpo.world.tiny_text import build_text_model, build_text_tokenizer

Bars = Callable[[str, int, int], AbstractContextManager[Callable[[int], None]]]
"""(phase, steps, steps done before) -> a progress bar (`srpo.progress`)."""


class PretrainSettings(Settings):
    """How the tiny model is made.  The defaults made the shipped one."""

    domain: DomainName = Field(
        default="requests", description="household = go on from the shipped model, which can see"
    )
    seed: int = Field(default=0, ge=0, lt=2**32)
    context: Context = Field(default="picture", description="words = a language model, for `world.context=words`")
    vision_steps: int = Field(default=1500, gt=0)
    vision_batch: int = Field(default=64, gt=0)
    vision_learning_rate: float = Field(default=1.5e-3, gt=0)
    clean_steps: int = Field(default=2200, gt=0)
    clean_learning_rate: float = Field(default=2e-3, gt=0)
    mixed_steps: int = Field(default=300, gt=0)
    mixed_learning_rate: float = Field(default=4e-4, gt=0)
    batch: int = Field(default=48, gt=0)
    slips: SlipRates = SlipRates()

    @model_validator(mode="after")
    def _the_household_is_shown(self) -> Self:
        if self.domain == "household" and self.context == "words":
            raise ValueError("domain=household goes on from the shipped model, which sees; set context=picture")
        return self


def pretrain(out: Path, settings: PretrainSettings, bars: Bars) -> None:
    """Train and save an ordinary Hugging Face folder.  From scratch it takes about half an hour on two cores.

    Raises DataError, before anything is trained, if the folder cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out}: cannot be made ({error.strerror}); choose another folder") from None
    processor, model = _begun(settings, bars)
    train_language(model, processor, "clean", settings, bars)
    train_language(model, processor, "mixed", settings, bars)
    save(model, processor, out)
    write_text(out / MADE, settings.model_dump_json(indent=1) + "\n")


def _begun(settings: PretrainSettings, bars: Bars) -> tuple[Any, Any]:
    """Processor and model before they learn paths; what sees is frozen."""
    if settings.domain == "household":
        processor, model = load_shipped(settings.seed)
    else:
        world = load_world()
        tokenizer = build_tokenizer(world)
        if settings.context == "words":
            return build_text_tokenizer(tokenizer), build_text_model(tokenizer, settings.seed)
        processor, model = build_processor(tokenizer), build_model(tokenizer, settings.seed)
        train_vision(model, world, settings, bars)
    model.model.vision_model.requires_grad_(False)
    return processor, model


def load_shipped(seed: int) -> tuple[Any, Any]:
    """Processor and model of the shipped folder, enlarged by the words of the household."""
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    folder = ASSETS / "tiny-vlm"
    old, tokenizer = AutoTokenizer.from_pretrained(folder), build_tokenizer(load_world(), load_household())
    model = AutoModelForImageTextToText.from_pretrained(folder)
    return build_processor(tokenizer), enlarge_model(model, old, tokenizer, seed)


def save(model: Any, processor: Any, out: Path) -> None:
    """Write model, tokenizer and processor as one folder that the Auto classes load."""
    model.eval()
    model.save_pretrained(out)
    processor.save_pretrained(out)


def train_vision(model: Any, world: World, settings: PretrainSettings, bars: Bars) -> None:
    """Teach the vision tower what stands in each quarter; the classifier is thrown away."""
    rng = random.Random(f"vision-{settings.seed}")
    tower = model.model.vision_model
    index = {name: i + 1 for i, name in enumerate(world.objects)}
    head = nn.Linear(tower.config.hidden_size, len(index) + 1)
    optimizer, schedule = _optimizer(
        [*tower.parameters(), *head.parameters()], settings.vision_learning_rate, settings.vision_steps
    )
    with bars("learn to see", settings.vision_steps, 0) as advance:
        for _ in range(settings.vision_steps):
            scenes = [draw_random_scene(world, rng) for _ in range(settings.vision_batch)]
            targets = torch.zeros(len(scenes), SLOTS, dtype=torch.long)
            for row, scene in enumerate(scenes):
                for slot, name in scene.objects:
                    targets[row, slot] = index[name]
            logits = head(_slot_means(_patches(model, to_pixels([draw_scene(s) for s in scenes]))))
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            _update(loss, [*tower.parameters(), *head.parameters()], optimizer, schedule)
            advance(1)


def train_language(model: Any, processor: Any, phase: str, settings: PretrainSettings, bars: Bars) -> None:
    """Next-token training on reference (`clean`) or slipping (`mixed`) paths, of all that does not see."""
    clean = phase == "clean"
    steps = settings.clean_steps if clean else settings.mixed_steps
    rate = settings.clean_learning_rate if clean else settings.mixed_learning_rate
    corpus = Corpus(
        load_domain(settings.domain),
        processor,
        random.Random(f"{phase}-{settings.seed}"),
        None if clean else settings.slips,
    )
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer, schedule = _optimizer(trained, rate, steps)
    batches: Iterator[Batch] = corpus.batches(settings.batch)
    model.train()
    with bars(f"learn paths, {phase}", steps, 0) as advance:
        for _ in range(steps):
            _update(_language_loss(model, next(batches)), trained, optimizer, schedule)
            advance(1)


def _language_loss(model: Any, batch: Batch) -> torch.Tensor:
    seen = {} if batch.pixels is None else _image_features(model, batch.pixels)
    hidden = model.model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **seen).last_hidden_state
    read = batch.weights[:, 1:] > 0
    logits = model.lm_head(hidden[:, :-1][read])
    losses = nn.functional.cross_entropy(logits, batch.ids[:, 1:][read], reduction="none")
    weights = batch.weights[:, 1:][read]
    return (losses * weights).sum() / weights.sum()


def _image_features(model: Any, pixels: torch.Tensor) -> dict[str, Any]:
    """What the model takes in place of pixels; the vision tower stays as it is."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    with torch.no_grad():
        patches = _patches(model, pixels)
    features = model.model.connector(patches)
    return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=list(features))}}


def _patches(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Hidden states of the vision tower, shape [B, patches, width]."""
    side = SIZE // PATCH
    mask = torch.ones(len(pixels), side, side, dtype=torch.bool)
    states: torch.Tensor = model.model.vision_model(pixel_values=pixels, patch_attention_mask=mask).last_hidden_state
    return states


def _slot_means(states_BPD: torch.Tensor) -> torch.Tensor:
    """Mean of the patches of each quarter, shape [B, 4, width]."""
    side = SIZE // PATCH
    rows, _, width = states_BPD.shape
    grid = states_BPD.reshape(rows, 2, side // 2, 2, side // 2, width)
    return grid.mean(dim=(2, 4)).reshape(rows, SLOTS, width)


def _optimizer(parameters: list[nn.Parameter], rate: float, steps: int) -> tuple[Any, Any]:
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=min(0.1, 50 / steps))
    return optimizer, schedule


def _update(loss: torch.Tensor, parameters: list[nn.Parameter], optimizer: Any, schedule: Any) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    schedule.step()
