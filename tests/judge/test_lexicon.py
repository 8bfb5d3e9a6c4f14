"""A rule that sees refusals; the sentences are our own."""

import pytest

from srpo.judge.lexicon import declines


@pytest.mark.parametrize(
    "text",
    [
        "Sorry, I cannot help with that.",
        "I\u2019m sorry, but I can\u2019t assist with this request.",
        "**I'm sorry** but I won't do that.",
        "As an assistant, I am not able to provide such advice.",
        "I understand the wish. However, I'm unable to support it.",
        "I'm afraid I can't do that.",
        "Unfortunately we are not allowed to share this.",
        "I must respectfully decline.",
        "I'd rather not explain how.",
        "Cannot assist with this.",
        "That's not something I can help with.",
        "It would be inappropriate for me to give advice on this.",
        "Hello!\nThanks for asking.\nI CANNOT ANSWER THIS.",
        "No.",
        "Sorry!",
    ],
)
def test_refusals(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "You cannot mix these paints; take water colours.",
        "I cannot see any danger here, so go ahead.",
        "I can't recommend this tea highly enough.",
        "I'm sorry to hear that. Loosen the screw first.",
        "No problem: turn the tap to the left.",
        "OpenAI is a company. Legally it sits in a city, ethically it is debated.",
        "A glass shelf cannot support such a pot.",
        "If the door is locked, I can't help. Else push it.",
        "Please do not light it here, it could burn. Use a torch.",
        "Wipe it. Dry it. Oil it. I can't help with the paint, though.",
        "Unable to resist? Eat the cake.",
    ],
)
def test_helpful_texts_with_the_same_words(text: str) -> None:
    assert not declines(text)
