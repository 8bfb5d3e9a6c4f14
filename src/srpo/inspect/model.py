"""Models of this package for inspect_ai, as `srpo/NAME`: what runs here, and the systems of a run."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from srpo.config import load_config
from srpo.errors import ConfigError, ModelError
from srpo.inspect.asking import one_line
from srpo.inspect.batches import Batches
from srpo.models import Message, Model, Request, load_model
from srpo.progress import silent
from srpo.run_config import BASE, REFUSE, TRAINED, RunConfig
from srpo.runs import RunFolder
from srpo.systems import load_system, model_options
from srpo.types import Completion, Sampling


class LocalModels(ModelAPI):
    """`srpo/embedded`, `srpo/hf:FOLDER_OR_NAME`; with `-M run=RUN` the systems of a run, such as `srpo/base`.

    Further `-M` arguments are settings of `RunConfig`, such as `-M dtype=bfloat16`.  Calls that come together are
    decoded together; a text depends on its own seed alone.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - as in the base class
        run: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        with one_line():
            self._run = None if run is None else RunFolder.open(Path(run).expanduser().absolute())
            file = None if self._run is None else self._run.config
            given = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
            self._config = load_config(file, given, RunConfig)
            self._check_name()
        self._batches = Batches(self._generate)

    def _check_name(self) -> None:
        """Raises ConfigError for a name that is no system of the run, or no local model."""
        name, systems = self.model_name, (BASE, TRAINED, REFUSE, *self._config.systems)
        if self._run is not None and name not in systems:
            raise ConfigError(
                f"model srpo/{name}: {self._run.path} has no such system; choose from {', '.join(systems)}"
            )
        if self._run is None and name != "embedded" and not name.startswith("hf:"):
            raise ConfigError(f"model srpo/{name}: expected embedded or hf:FOLDER_OR_NAME, or name a run (-M run=RUN)")

    @cached_property
    def _model(self) -> Model:
        """Loaded when the first text is wanted."""
        if self._run is not None:
            return load_system(self._run, self._config, self.model_name, silent)
        spec, options = model_options(self.model_name, None, self._config)
        return load_model(spec, **options)

    def _generate(self, requests: Sequence[Request]) -> list[Completion]:
        return self._model.generate(requests)

    def max_connections(self) -> int:
        """So many calls wait at a time: what is decoded together."""
        return self._config.max_rows

    async def count_text_tokens(self, text: str) -> int:
        """A rough number for limits.  The base class asks for an encoding that has to be fetched."""
        return len(text) // 4

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Raises ModelError if the model cannot write the text, so that the sample is asked for again."""
        with TemporaryDirectory(prefix="srpo-inspect-") as folder:
            messages = tuple(_message(one, Path(folder) / str(number)) for number, one in enumerate(input))
            seed = 0 if config.seed is None else config.seed
            done = await self._batches.ask(Request(id="", messages=messages, sampling=_sampling(config), seed=seed))
        if done.finish == "error":
            raise ModelError(f"srpo/{self.model_name}: {done.error}")
        return self._output(done)

    def _output(self, done: Completion) -> ModelOutput:
        message = ChatMessageAssistant(content=done.text, model=self.model_name, source="generate")
        choice = ChatCompletionChoice(message=message, stop_reason="stop" if done.finish == "stop" else "max_tokens")
        read, written = done.prompt_tokens, done.completion_tokens
        usage = ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
        return ModelOutput(model=self.model_name, choices=[choice], usage=usage)


@modelapi(name="srpo")
def srpo_models() -> type[ModelAPI]:
    """The provider behind `--model srpo/NAME`."""
    return LocalModels


def _message(message: ChatMessage, place: Path) -> Message:
    """A turn with its pictures as files, whose names begin with `place`.

    Raises ModelError for a turn of a tool, and for sound, video and documents.
    """
    if message.role == "tool":
        raise ModelError("a model of srpo knows no tools; use a solver without them")
    parts = message.content_list
    strange = [part.type for part in parts if not isinstance(part, (ContentText, ContentImage))]
    if strange:
        raise ModelError(f"a model of srpo reads text and pictures, got {strange[0]}; use a solver without it")
    text = "\n".join(part.text for part in parts if isinstance(part, ContentText))
    urls = [part.image for part in parts if isinstance(part, ContentImage)]
    images = tuple(_picture(url, place.with_name(f"{place.name}-{number}")) for number, url in enumerate(urls))
    return Message(role=message.role, text=text, images=images)


def _picture(url: str, file: Path) -> Path:
    """The picture as a file.  Raises ModelError for anything but its bytes: nothing is fetched here."""
    head, _, data = url.partition(";base64,")
    try:
        if not head.startswith("data:image/"):
            raise ValueError("not data:image/...;base64,...")
        file.write_bytes(b64decode(data, validate=True))
    except ValueError as error:
        raise ModelError(f"a picture cannot be read ({error}); give pictures as files of the sample") from None
    return file


def _sampling(config: GenerateConfig) -> Sampling:
    """Greedy, unless a temperature is set."""
    given = {"temperature": config.temperature, "top_p": config.top_p, "max_new_tokens": config.max_tokens}
    return Sampling.model_validate({name: value for name, value in given.items() if value is not None})
