# SPDX-License-Identifier: Apache-2.0
"""What a .pte holds: its signature, instructions, delegate graphs and layers."""
