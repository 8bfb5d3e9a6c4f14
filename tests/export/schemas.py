"""What the documents of other trainers say of a row, as strict models; the pages are in `docs/interoperability.md`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class User(Strict):
    role: Literal["user"]
    content: str


class Assistant(Strict):
    role: Literal["assistant"]
    content: str


Images = Annotated[list[str], Field(min_length=1, max_length=1)]
OneUser = Annotated[list[User], Field(min_length=1, max_length=1)]
OneAssistant = Annotated[list[Assistant], Field(min_length=1, max_length=1)]


# --- TRL 1.16: prompt-only, prompt-completion and preference, with `images`; other columns are ignored or passed on --


class TrlReward(Strict):
    prompt: OneUser
    images: Images
    sample: str


class TrlSft(TrlReward):
    completion: OneAssistant


class TrlPreference(TrlReward):
    chosen: OneAssistant
    rejected: OneAssistant
    prefix: int


# --- ms-swift: `messages`, and for preferences `rejected_response`; other columns are dropped or passed on ----------


class SwiftReward(Strict):
    messages: OneUser
    images: Images
    sample: str


class SwiftSft(Strict):
    messages: tuple[User, Assistant]
    images: Images
    sample: str


class SwiftPreference(SwiftSft):
    rejected_response: str


# --- LLaMA-Factory: sharegpt -----------------------------------------------------------------------------------


class Human(Strict):
    from_: Literal["human"] = Field(alias="from")
    value: str


class Gpt(Strict):
    from_: Literal["gpt"] = Field(alias="from")
    value: str


class LlamaFactorySft(Strict):
    conversations: tuple[Human, Gpt]
    images: Images


class LlamaFactoryPreference(Strict):
    conversations: tuple[Human]
    chosen: Gpt
    rejected: Gpt
    images: Images


class Columns(Strict):
    messages: Literal["conversations"]
    images: Literal["images"]
    chosen: Literal["chosen"] | None = None
    rejected: Literal["rejected"] | None = None


class DatasetInfo(Strict):
    file_name: str
    formatting: Literal["sharegpt"]
    ranking: bool = False
    columns: Columns


# --- verl: five fields and `images`; EasyR1: `problem`, `answer` and `images` -----------------------------------


class Picture(Strict):
    bytes: bytes
    path: str


class Truth(Strict):
    style: Literal["rule"]
    ground_truth: str


class Extra(Strict):
    split: str
    index: str
    cell: str


class Verl(Strict):
    data_source: str
    prompt: OneUser
    images: Annotated[list[Picture], Field(min_length=1, max_length=1)]
    ability: str
    reward_model: Truth
    extra_info: Extra
    problem: str
    answer: str


SCHEMAS: dict[tuple[str, str], type[Strict]] = {
    ("trl", "preference"): TrlPreference,
    ("trl", "sft"): TrlSft,
    ("trl", "reward"): TrlReward,
    ("swift", "preference"): SwiftPreference,
    ("swift", "sft"): SwiftSft,
    ("swift", "reward"): SwiftReward,
    ("llamafactory", "preference"): LlamaFactoryPreference,
    ("llamafactory", "sft"): LlamaFactorySft,
    ("verl", "reward"): Verl,
}
