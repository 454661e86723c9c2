# SPDX-License-Identifier: Apache-2.0
"""The kinds of check. Each module has one function from a page in its context to problems."""
