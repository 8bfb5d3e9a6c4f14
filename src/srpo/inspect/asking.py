"""Questions of this package as samples of inspect_ai, asked with the seeds of this package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Final, Literal

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as Asked
from inspect_ai.model import ChatMessageUser, Content, ContentImage, ContentText, GenerateConfig
from inspect_ai.solver import Generate, Solver, TaskState, solver
from PIL import Image as PILImage

from srpo.errors import ConfigError, SrpoError
from srpo.models.base import Message
from srpo.models.wire import data_url
from srpo.records import seed_of
from srpo.run_config import EvaluateSettings

Decoding = Literal["greedy", "sampled"]

Value = bool | int | str | float
"""Of one flag in a score; NaN is inspect_ai's sign for *not scored*."""

NAN: Final = float("nan")


@contextmanager
def one_line() -> Iterator[None]:
    """Errors that a user can mend without a traceback, as everywhere in this package."""
    try:
        yield
    except SrpoError as error:
        raise PrerequisiteError(str(error)) from None


def asked(name: str, messages: Sequence[Message], metadata: Mapping[str, Any]) -> Asked:
    """One question.  Pictures are named by path, and inspect_ai reads them when the question is asked.

    There is no target: what is right is known to the scorer alone, which finds it by the sample's id.
    """
    return Asked(id=name, input=[_turn(message) for message in messages], metadata=dict(metadata))


def dataset(name: str, questions: Sequence[Asked]) -> MemoryDataset:
    """The questions in their order."""
    return MemoryDataset(list(questions), name=name)


def _turn(message: Message) -> ChatMessageUser:
    pictures: list[Content] = [ContentImage(image=_picture(path)) for path in message.images]
    return ChatMessageUser(content=[*pictures, ContentText(text=message.text)])


def _picture(path: Path) -> str:
    """The path; or the picture itself if its name lies, for inspect_ai goes by names and servers by bytes."""
    with PILImage.open(path) as image:
        kind = PILImage.MIME.get(image.format or "")
    return str(path.absolute()) if guess_type(path.name)[0] == kind else data_url(path)


def checked(argument: str, value: str, known: Iterable[str]) -> None:
    """Raises ConfigError if an argument of a task is none of the known values; inspect_ai takes any."""
    names = list(known)
    if value not in names:
        raise ConfigError(f"-T {argument}={value}: expected one of {', '.join(names)}")


def sampling(settings: EvaluateSettings, decoding: Decoding) -> GenerateConfig:
    """How tokens are drawn under a decoding of `srpo evaluate`.  Raises ConfigError if there is no such."""
    decodings = settings.model_copy(update={"sampled": True}).decodings()
    checked("decoding", decoding, decodings)
    chosen = decodings[decoding]
    return GenerateConfig(temperature=chosen.temperature, top_p=chosen.top_p, max_tokens=chosen.max_new_tokens)


@solver
def answer(seed: int) -> Solver:
    """One call of the model with the seed that `srpo evaluate` gives to the sample and the draw."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        repeat = state.epoch - 1
        parts = (seed, str(state.sample_id), *([repeat] if repeat else []))
        return await generate(state, tool_calls="none", seed=seed_of("evaluate", *parts))

    return solve
