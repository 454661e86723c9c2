# SPDX-License-Identifier: Apache-2.0
"""From a PyTorch model to a verified ExecuTorch program with its ETRecord and a JSON about both."""
