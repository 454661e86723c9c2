# SPDX-License-Identifier: Apache-2.0
"""The CPU that is measured: features, how they are masked, cores, what may be claimed of it."""
