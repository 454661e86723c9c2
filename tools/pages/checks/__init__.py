# SPDX-License-Identifier: Apache-2.0
"""Checking pages: the page in its context, the rules that are asked about it, and who asks them."""
