# SPDX-License-Identifier: Apache-2.0
"""SME2 ExecuTorch Profiling Kit: export, paired on/off profiling, analysis and report.

The layers, each importing only from those left of it::

    models, paired_statistics <- export, pipeline <- analysis <- report <- scripts, tools

``errors``, ``command``, ``processes``, ``console`` and ``files`` stand below all of them.
"""

from pathlib import Path

__version__ = "0.1.0"

#: Where users get the kit; single scripts install it from here.
KIT_ADDRESS = "https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling"

#: The package's own folder (scripts, configs and C++ sources lie below it).
PACKAGE_DIR = Path(__file__).resolve().parent
