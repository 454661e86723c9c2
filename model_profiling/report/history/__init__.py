# SPDX-License-Identifier: Apache-2.0
"""The page of a history: its view, its figures, its sections, and writing it."""
