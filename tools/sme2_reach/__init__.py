# SPDX-License-Identifier: Apache-2.0
"""What `make_sme2_reach.py` is made of: a model of every layer, its recordings, the table of the pages."""
