# SPDX-License-Identifier: Apache-2.0
"""The repository's own tools: the learning path's pages, figures and preview. Not installed with the kit."""
