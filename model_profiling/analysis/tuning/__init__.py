# SPDX-License-Identifier: Apache-2.0
"""A tuning of a model: what was tried, what is tried next, what came of it. Pure values; `scripts/tuning` acts."""
