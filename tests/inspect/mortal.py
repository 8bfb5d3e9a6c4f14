"""An evaluation whose model ends the process at one call; arguments: run, folder of logs, file of calls, fatal call."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from inspect_ai import eval_set
from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage, modelapi

from srpo.inspect import rsbench

RUN, LOGS, CALLS, FATAL = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])


@modelapi(name="mortal")
class Mortal(ModelAPI):
    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
        with CALLS.open("a") as file:
            file.write(f"{config.seed}\n")
        if len(CALLS.read_text().splitlines()) == FATAL:
            os._exit(9)
        output = ModelOutput.from_content("mortal", "Final answer: It depends.")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output


if __name__ == "__main__":
    done, _ = eval_set(
        rsbench(RUN), log_dir=LOGS, model="mortal/x", display="none", log_images=False, max_samples=1, log_buffer=1
    )
    sys.exit(not done)
