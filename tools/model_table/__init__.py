# SPDX-License-Identifier: Apache-2.0
"""Models that people ship against the recipes: what each export came to."""
