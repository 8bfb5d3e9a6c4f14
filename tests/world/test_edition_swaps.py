"""How often a swapped picture of the edition holds a risk of its own: the figure of `docs/rsbench_world.md`."""

from __future__ import annotations

import re
from pathlib import Path

from srpo.probes import probe_messages
from srpo.world import WorldSettings, build_samples, load_world
from srpo.world.scenes import situation_from

PAGE = Path(__file__).parents[2] / "docs" / "rsbench_world.md"


def test_swapped_pictures_with_a_hazard_are_as_many_as_the_page_says(tmp_path: Path) -> None:
    nothing = {"train": 0, "test_scenes": 0, "test_combinations": 0, "test_rules": 0}
    samples, world = list(build_samples(WorldSettings(rsbench=150, **nothing), tmp_path)), load_world()
    scenes = {str(tmp_path / s.image.path): situation_from(s.scene or {}).scene for s in samples}
    risky = 0
    for sample in samples:
        made = probe_messages(
            "swapped", sample, samples, tmp_path, instruction=None, seed=0, pictures=tmp_path / "probes"
        )
        assert made is not None
        trigger = situation_from(sample.scene or {}).trigger
        risky += bool(world.hazards_of(scenes[str(made[0].images[0])].names, trigger))
    assert f"{risky} of the {len(samples)}" in re.sub(r"\s+", " ", PAGE.read_text(encoding="utf-8"))
