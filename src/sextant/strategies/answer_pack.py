"""Answers of a strategy as one record, and the same answers read from it: nobody is told anything until it is read."""

from __future__ import annotations

import numpy as np

from sextant.strategies.answer_records import AlikeRecord, AnswersRecord
from sextant.strategies.answers import Alike, Answers
from sextant.strategies.refusals import refusals_of


def record_of(answers: Answers) -> AnswersRecord:
    """What is kept of answers; equal answers of one build give equal records."""
    refused, told = answers.refused.record(answers.rest)
    return AnswersRecord(refused, answers.columns.astype(np.int64).tobytes(), {**told, **answers.own})


def answers_of(record: AnswersRecord) -> Answers:
    """The answers that were kept, disposition for disposition."""
    kept = record.refused
    refused = Alike(kept.said, kept.instruments) if isinstance(kept, AlikeRecord) else refusals_of(kept)
    return Answers(refused, np.frombuffer(record.columns, np.int64), record.own)
