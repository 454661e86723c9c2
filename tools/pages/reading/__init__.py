# SPDX-License-Identifier: Apache-2.0
"""Reading documents: Markdown, directives, shell, the form of skills, the repository around them."""
