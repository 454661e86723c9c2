# SPDX-License-Identifier: Apache-2.0
"""What the cells of a sweep came to, and the sweep as a whole."""
