# SPDX-License-Identifier: Apache-2.0
"""What can be changed, and what that would save."""
