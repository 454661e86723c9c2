# SPDX-License-Identifier: Apache-2.0
"""How far a program is from its eager model, in words."""

from __future__ import annotations

from model_profiling.recorded_agreement import RecordedAgreement

NOT_KNOWN = "not known: no export record of this file lay beside it"
NOT_FINITE = "not finite (NaN or infinity)"
#: Said of a limit that lets much through.
LOOSE = "generic and loose: check accuracy on data of your own"


def agreement_words(held: RecordedAgreement | None) -> str:
    """Say how far a program is from its model, and by which limit that was judged."""
    if held is None:
        return NOT_KNOWN
    limit = f"the limit of its export ({error_text(held.max_rel_limit)}, cosine {held.min_cosine:g})"
    if held.accuracy is not None and held.by_accuracy:
        limit = f"the model's own limit (a loss of {held.accuracy.limit:g}; it loses {held.accuracy.loss:.4g})"
    loose = f", which is {LOOSE}" if held.loose else ""
    return f"{distance(held)}; {'within' if held.passed else 'beyond'} {limit}{loose}"


def distance(held: RecordedAgreement) -> str:
    """Return "greatest error 0.52 % of the largest value, smallest cosine 0.999990"."""
    error = NOT_FINITE if held.max_rel_error is None else f"{error_text(held.max_rel_error)} of the largest value"
    cosine = NOT_FINITE if held.cosine is None else cosine_text(held.cosine)
    return f"greatest error {error}, smallest cosine {cosine}"


def error_text(relative: float) -> str:
    """Return a relative error in percent, with two digits: "0.52 %", "1.3e-05 %", "50 %"."""
    return f"{100 * relative:.2g} %"


def cosine_text(value: float) -> str:
    """Return a cosine as far as it differs from 1; never 1 of less."""
    return "1" if value >= 1 else f"{value:.6f}" if value < 0.9999995 else "above 0.999999"
