# SPDX-License-Identifier: Apache-2.0
"""The figures of the pages: each drawn by one function from data that is committed beside it."""
