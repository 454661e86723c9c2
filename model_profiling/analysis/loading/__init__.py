# SPDX-License-Identifier: Apache-2.0
"""Runs, sweeps and traces as pandas DataFrames; `model_profiling.report.notebook` shows them."""
