# SPDX-License-Identifier: Apache-2.0
"""Running skills: what each types and what gates it, progress that outlives a kill, a result for machines."""
