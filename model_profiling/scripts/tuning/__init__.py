# SPDX-License-Identifier: Apache-2.0
"""What a tuning does and keeps: its folder, its exports, its comparisons. What comes next `analysis.tuning` decides."""
