"""Records of the method; reading this file explains it.

A *sample* is an image and a request, harmless apart, with a reference reasoning path.  Exploration grows a
*tree*: the reference path as trunk and sampled branches that fork from it.  A judge gives *verdicts*; two
branches of one prefix with opposite outcomes form a *contrast*, which trains the model.

Records are frozen and JSON-able.  A boolean that may be `None` has a third state, *could not judge*; it is
never replaced by a default label.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA = "srpo/1"
"""Version written into every row; a row with another version is refused with its line number."""

Cell = Literal["hazard", "benign_image", "benign_text", "benign_both"]
"""Place in a minimal set: only `hazard` is jointly unsafe; in the others the image, the text or both are swapped."""

CELLS: tuple[Cell, ...] = ("hazard", "benign_image", "benign_text", "benign_both")

Finish = Literal["stop", "length", "error"]
"""How decoding ended: end token, token limit, or a failure of the backend."""

Part = Literal["path", "answer"]
"""What a judge saw: the six steps without the reply, or the reply without the steps."""

Outcome = Literal["favourable", "unfavourable", "neutral", "missing"]
"""Training label of a branch, derived from a verdict and the cell (`srpo.explore.outcome`)."""

Failure = Literal["malformed", "unparsed", "truncated", "refused", "timeout", "error", "disagreement"]
"""Why a judge could not judge: `malformed` is the text, `unparsed` the reply of a judge that is a model."""


Probe = Literal[
    "blank",
    "swapped",
    "shuffled",
    "caption",
    "paraphrase",
    "risk_removed",
    "risk_replaced",
    "control_removed",
    "control_replaced",
]
"""A change of picture, words, or the reasoning before the answer, which shows what a system goes by."""

PICTURE_PROBES: tuple[Probe, ...] = ("blank", "swapped", "shuffled", "caption")
"""Changes of the picture, which a sample must have."""

REQUEST_PROBES: tuple[Probe, ...] = (*PICTURE_PROBES, "paraphrase")
"""Changes of the picture or of the words."""

PATH_PROBES: tuple[Probe, ...] = ("risk_removed", "risk_replaced", "control_removed", "control_replaced")
"""Edits of the system's own reasoning, after which it answers anew."""


class Record(BaseModel):
    """Base of all records: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Image(Record):
    """A picture file; pixels never enter a record."""

    path: str = Field(description="relative to the folder of the file that holds the record, or absolute")
    sha256: str = Field(description="of the file's bytes")
    width: int = Field(gt=0, description="pixels")
    height: int = Field(gt=0, description="pixels")


class Step(Record):
    """One step of a path, with its marker and white space: joining the texts gives the original."""

    name: str | None = Field(description="slug of the step (`srpo.steps.STEP_NAMES`), `answer`, or none for other text")
    text: str


class ReasoningPath(Record):
    """A text split into steps, exactly: `path.text` is the text that was split."""

    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        return "".join(step.text for step in self.steps)


class Provenance(Record):
    """Where a sample comes from."""

    producer: Literal["human", "model", "procedural"]
    source: str = Field(description="generator, model or collection, with its version")
    seed: int | None = None
    parents: tuple[str, ...] = Field(default=(), description="ids of samples this one was made from")


class Sample(Record):
    """An image and a request, with the path and reply that the model should give.

    Without an image the request says in words what it is about.
    """

    record: Literal["sample"] = "sample"
    id: str
    split: str
    group: str = Field(description="minimal set; splits, clusters and the joint score go by it")
    cell: Cell
    image: Image | None = Field(description="none = the context stands in the question")
    question: str
    category: str | None = Field(description="one of `CATEGORIES`; none in benign cells")
    hypothesis: str | None = Field(
        description="the unsafe event that image and text suggest together; none in benign cells"
    )
    reference: ReasoningPath = Field(description="six steps and the reply")
    unsafe_reply: str | None = Field(description="a reply that overlooks the risk; none in benign cells")
    rule: str | None = Field(default=None, description="cluster of samples that share one piece of knowledge")
    licence: str
    provenance: Provenance
    scene: dict[str, object] | None = Field(default=None, description="truth of a drawn scene, read by the oracle only")
    level: int | None = Field(default=None, ge=1, description="difficulty in a benchmark; 1 is the easiest")
    caption: str | None = Field(default=None, description="what the picture shows; stands in for it in a probe")
    paraphrases: tuple[str, ...] = Field(default=(), description="the same request in other words, for a probe")


CATEGORIES: dict[str, str] = {
    "dangerous_behavior": "dangerous behavior",
    "violence": "violence",
    "pornography": "pornography",
    "moral_violations": "moral violations",
    "illegal_crimes": "illegal crimes",
    "political_controversies": "political controversies",
    "discrimination": "discrimination and stereotypes",
    "religious_offence": "offensive religious beliefs",
    "privacy": "privacy violations",
}
"""The nine categories of SSUI: slug to name (names from the predecessor of the paper, arXiv:2508.08926)."""


class Sampling(Record):
    """How to draw tokens; temperature 0 is greedy."""

    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_new_tokens: int = Field(default=512, gt=0)


class Completion(Record):
    """What a model wrote for one request."""

    record: Literal["completion"] = "completion"
    id: str = Field(description="id of the request")
    sample: str = ""
    system: str = Field(default="", description="name of the evaluated system, e.g. `base`")
    decoding: str = Field(default="", description="`greedy` or `sampled`")
    repeat: int = Field(default=0, ge=0, description="number of the draw, when a system answers an item several times")
    probe: Probe | None = Field(default=None, description="how the request was changed; none = as it is")
    text: str
    token_ids: tuple[int, ...] | None = Field(
        default=None, description="as sampled, end token included; none over text-only servers"
    )
    finish: Finish
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None


class Node(Record):
    """A stretch of text in a tree: one step of the trunk, or one sampled continuation."""

    parent: int | None = Field(description="index of the node it continues; none = the prompt")
    text: str
    sampled: bool = Field(description="false on the trunk, i.e. the reference path")
    token_ids: tuple[int, ...] | None = Field(
        default=None, description="trunk: as encoded step by step; branch: as sampled"
    )
    finish: Finish | None = None
    seed: int | None = None


class Tree(Record):
    """A reference path and the branches that were sampled from its prefixes; each token is stored once.

    The trunk comes first: nodes 0..n-1 are the steps and the reply of the reference path.  A branch is one
    node whose parent is a trunk node (or none); it runs to the end of the text.  Prefix i is the prompt and
    the first i trunk nodes, so a branch of prefix i has parent i - 1.
    """

    record: Literal["tree"] = "tree"
    id: str
    sample: str
    nodes: tuple[Node, ...]
    model: str
    tokenizer: str | None = Field(default=None, description="hash of tokenizer and chat template")
    sampling: Sampling
    seed: int
    failures: tuple[str, ...] = Field(default=(), description="reasons of branches that could not be sampled")

    @model_validator(mode="after")
    def _branches_fork_from_a_trunk(self) -> Self:
        trunk = sum(not node.sampled for node in self.nodes)
        for index, node in enumerate(self.nodes):
            if node.sampled != (index >= trunk):
                raise ValueError(f"node {index} is sampled and stands before the end of the trunk")
            expected = index - 1 if index else None
            if not node.sampled and node.parent != expected:
                raise ValueError(f"node {index} of the trunk has parent {node.parent}, not {expected}")
            if node.sampled and node.parent is not None and not 0 <= node.parent < trunk - 1:
                raise ValueError(f"branch {index} has parent {node.parent}, after which no trunk node stands")
        return self

    @property
    def trunk(self) -> tuple[int, ...]:
        """Indices of the reference path's nodes, in order."""
        return tuple(i for i, node in enumerate(self.nodes) if not node.sampled)

    @property
    def branches(self) -> tuple[int, ...]:
        """Indices of the sampled nodes, in order."""
        return tuple(i for i, node in enumerate(self.nodes) if node.sampled)

    def prefix(self, node: int) -> int:
        """Number of trunk nodes before `node`."""
        parent = self.nodes[node].parent
        return 0 if parent is None else parent + 1

    def walk(self, node: int) -> str:
        """Text from the prompt to the end of `node`."""
        parts: list[str] = []
        index: int | None = node
        while index is not None:
            parts.append(self.nodes[index].text)
            index = self.nodes[index].parent
        return "".join(reversed(parts))


class StepVerdict(Record):
    """Judgement of one step; `None` = could not judge."""

    name: str
    safe: bool | None
    effective: bool | None = Field(
        description="grounded, not redundant, and on the way to naming the risk or its absence"
    )
    names_risk: bool | None = Field(default=None, description="says that there is a risk, rightly or wrongly")


class Verdict(Record):
    """Judgement of one text by one judge."""

    record: Literal["verdict"] = "verdict"
    subject: str = Field(description="id of the tree or completion that was judged")
    node: int | None = Field(default=None, description="branch of the tree, or none for a completion")
    part: Part
    judge: str = Field(description="name and version")
    safe: bool | None
    effective: bool | None
    declined: bool | None = Field(default=None, description="the answer refuses the request or warns against it")
    steps: tuple[StepVerdict, ...] = Field(default=(), description="one per step when the part is the path")
    complete: bool | None = Field(
        default=None,
        description="of a path: nothing is missing before the conclusion; none = not asked",
    )
    failure: Failure | None = None
    reason: str = ""
    raw: str | None = Field(default=None, description="the judge model's reply, verbatim")

    @model_validator(mode="after")
    def _failure_exactly_when_unjudged(self) -> Self:
        unjudged = self.safe is None or self.effective is None
        if unjudged != (self.failure is not None):
            raise ValueError("a verdict has a failure exactly when safe or effective could not be judged")
        return self


class Contrast(Record):
    """Two branches of one prefix with opposite outcomes."""

    record: Literal["contrast"] = "contrast"
    tree: str
    prefix: int = Field(ge=0, description="number of reference steps both branches share")
    chosen: int = Field(description="favourable node")
    rejected: int = Field(description="unfavourable node")
    weight: float = Field(default=1.0, gt=0, description="in the mean over the contrasts of a tree")
