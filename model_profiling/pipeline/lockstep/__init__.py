# SPDX-License-Identifier: Apache-2.0
"""Processes alive together that take turns: how long a turn is, who has it, what disturbed it."""
