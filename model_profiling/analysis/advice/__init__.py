# SPDX-License-Identifier: Apache-2.0
"""What could be better: how far layers are from what the machine can do."""
