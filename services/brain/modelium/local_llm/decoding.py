"""Asks a model so that its answer is always of the form that was asked for.

A grammar made of the JSON Schema forbids all other tokens. Most of an answer is the only thing that
may come next: that is written down without asking the model, which reads it together with what it
is asked next. So the model is asked once for each choice, and not once for each token.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import llguidance.hf
import llguidance.torch
import torch
from llguidance import LLMatcher

from modelium.local_llm.clock import monotonic
from modelium.local_llm.context import Context
from modelium.local_llm.errors import CannotLoad, NoAnswer
from modelium.local_llm.loading import Loaded

MOST_CONTEXTS: Final = 2
"""Kept, one for each instruction: that is how many kinds of question there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: the instruction is the same for all questions of a kind."""

    system: str
    user: str
    schema: Mapping[str, Any]
    most_tokens: int
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What it said, and what that took."""

    text: str
    tokens: int
    passes: int
    """Of the model, those in which it read the question among them."""
    read_tokens: int
    """Of the question; those at its start that it had read before do not count."""
    cpu_s: float
    """Of this process, over all its threads."""


class Decoder:
    """One model with its grammar's view of the tokens; answers one question at a time."""

    def __init__(self, loaded: Loaded) -> None:
        self._model, self._tokenizer = loaded.model, loaded.tokenizer
        self._ends = _ends(loaded)
        vocabulary = self._model.get_output_embeddings().weight.shape[0]
        self._words = llguidance.hf.from_tokenizer(
            self._tokenizer, n_vocab=vocabulary, eos_token=sorted(self._ends)
        )
        self._mask = llguidance.torch.allocate_token_bitmask(1, vocabulary)
        self._contexts: dict[str, Context] = {}

    def answer(self, question: Question) -> Answer:
        """Of the form of the schema, always.

        Raises:
            NoAnswer: the schema is none, the question too long, or the time is over.
        """
        began_s, cpu_s = monotonic(), time.process_time()

        def in_time() -> None:
            if monotonic() - began_s > question.within_s:
                raise NoAnswer(f"it did not come to an end within {question.within_s:g} s")

        ids = self.prompt_ids(question.system, question.user)
        self._ensure_fits(len(ids) + question.most_tokens)
        context = self._context(question.system)
        known, passes = context.back_to(ids), context.passes
        written = self._write(context, ids[known:], question, in_time)
        return Answer(
            text=self._words.decode_str(written),
            tokens=len(written),
            passes=context.passes - passes,
            read_tokens=len(ids) - known,
            cpu_s=time.process_time() - cpu_s,
        )

    def prompt_ids(self, system: str, user: str) -> list[int]:
        """The question in the model's own form."""
        if not self._tokenizer.chat_template:
            text = f"{system}\n\n{user}\n\n"
        else:
            text = self._tokenizer.apply_chat_template(
                [{"role": "system", "content": system}, {"role": "user", "content": user}],
                tokenize=False,
                add_generation_prompt=True,
            )
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _write(
        self, context: Context, unread: list[int], question: Question, in_time: Callable[[], None]
    ) -> list[int]:
        matcher = self._matcher(question.schema)
        written: list[int] = []
        while True:
            forced = matcher.compute_ff_tokens()
            matcher.consume_tokens(forced)
            written += forced
            unread += forced
            if matcher.is_stopped():
                break
            if len(written) >= question.most_tokens:
                raise NoAnswer(f"its answer is longer than {question.most_tokens} tokens")
            token = self._next(matcher, context.read(unread, in_time))
            if token in self._ends:
                break
            matcher.consume_token(token)
            written.append(token)
            unread = [token]
        if matcher.is_error():
            raise NoAnswer(f"its grammar failed: {matcher.get_error()}")
        return [token for token in written if token not in self._ends]

    def _next(self, matcher: LLMatcher, scores: Any) -> int:
        llguidance.torch.fill_next_token_bitmask(matcher, self._mask)
        llguidance.torch.apply_token_bitmask_inplace(scores, self._mask)
        return int(torch.argmax(scores[0]))

    def _matcher(self, schema: Mapping[str, Any]) -> LLMatcher:
        compact = {"whitespace_flexible": False}
        grammar = LLMatcher.grammar_from_json_schema(dict(schema), overrides=compact)
        matcher = LLMatcher(self._words, grammar, log_level=0)
        if matcher.is_error():
            raise NoAnswer(f"the form of its answer is none: {matcher.get_error()}")
        return matcher

    def _context(self, system: str) -> Context:
        """That of the instruction; the oldest makes room for a new one."""
        context = self._contexts.pop(system, None) or Context(self._model)
        while len(self._contexts) >= MOST_CONTEXTS:
            del self._contexts[next(iter(self._contexts))]
        self._contexts[system] = context
        return context

    def _ensure_fits(self, tokens: int) -> None:
        most = getattr(self._model.config, "max_position_embeddings", tokens)
        if tokens > most:
            raise NoAnswer(f"question and answer are {tokens} tokens, its context is {most}")


def proven(decoder: Decoder) -> Decoder:
    """The same, after an answer: the first takes long, and whoever asks later has a deadline.

    Raises:
        CannotLoad: it gives none.
    """
    said = {"said": {"type": "string", "enum": ["yes", "no"]}}
    schema = {
        "type": "object",
        "properties": said,
        "required": ["said"],
        "additionalProperties": False,
    }
    question = Question(system="", user="Yes?", schema=schema, most_tokens=32, within_s=inf)
    try:
        decoder.answer(question)
    except NoAnswer as none:
        raise CannotLoad(f"it does not answer: {none}") from none
    return decoder


def _ends(loaded: Loaded) -> frozenset[int]:
    """Tokens that end an answer."""
    config = loaded.model.generation_config
    known = config.eos_token_id if config.eos_token_id is not None else []
    several = known if isinstance(known, list) else [known]
    own = loaded.tokenizer.eos_token_id
    return frozenset([*several, *([own] if own is not None else [])])
