# SPDX-License-Identifier: Apache-2.0
"""Running pages as a reader would: a home of its own, one shell a page, every output compared."""
