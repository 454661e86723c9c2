# SPDX-License-Identifier: Apache-2.0
"""Every sentence and text table that people read, each made once."""
