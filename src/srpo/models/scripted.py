"""A model that answers from a function: for demonstrations, dry runs and tests, without weights or network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from srpo.models.base import Progress, Request
from srpo.types import Completion


class ScriptedModel:
    """Answers every request with `answer(request)`.

    The function returns what the model would write after the request's prefix.  The text is used as it is: no
    sampling, no token limit, no token ids, `finish="stop"`.  An exception in the function is a failed request,
    as a broken backend would be: a completion with `finish="error"` that names the exception.

        model = ScriptedModel(lambda request: "Final answer: yes.")
        model.generate([Request(id="1", messages=(Message(role="user", text="May I?"),))])
    """

    def __init__(self, answer: Callable[[Request], str], name: str = "scripted") -> None:
        self.name = name
        self._answer = answer

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """Completions in the order of the requests; the function is called once per request, in order."""
        completions = []
        for request in requests:
            completions.append(self._complete(request))
            if progress is not None:
                progress(1)
        return completions

    def _complete(self, request: Request) -> Completion:
        # The function is the user's: whatever it raises, one bad request must not end the batch.
        try:
            return Completion(id=request.id, text=self._answer(request), finish="stop")
        except Exception as error:
            reason = f"error: the scripted answer raised {type(error).__name__}: {error}"
            return Completion(id=request.id, text="", finish="error", error=reason)
