from __future__ import annotations

from hypothesis import settings

# How long an example takes says nothing on a shared machine, and the first one compiles the kernels.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
