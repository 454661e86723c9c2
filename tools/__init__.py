# SPDX-License-Identifier: Apache-2.0
"""The repository's own tools: the learning path's pages, figures and preview. Not installed with the kit."""

from pathlib import Path

#: The checkout that these tools belong to.
REPOSITORY = Path(__file__).resolve().parents[1]
