# SPDX-License-Identifier: Apache-2.0
"""How launches are planned and made; it never interprets a trace."""
