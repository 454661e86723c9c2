# SPDX-License-Identifier: Apache-2.0
"""The ceilings of a machine: their program, its measuring through a run's own runtime, and what is kept for a day."""
