# SPDX-License-Identifier: Apache-2.0
"""The history of many runs: typed rows, series of what is comparable, an index on disk, and where results changed."""
