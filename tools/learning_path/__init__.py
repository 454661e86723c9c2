# SPDX-License-Identifier: Apache-2.0
"""The learning path's pages as files: where they are, what they hold, and how Arm's repository lays them out."""
