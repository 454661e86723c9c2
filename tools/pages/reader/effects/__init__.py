# SPDX-License-Identifier: Apache-2.0
"""What the kit's commands leave for the commands after them."""
