# SPDX-License-Identifier: Apache-2.0
"""Is a run complete and plausible, and do its results follow from what was recorded."""
