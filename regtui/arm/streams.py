"""Named random streams: each use of randomness has its own, derived from the run's one seed.

With one shared stream the arms would part company after the first epoch: dropout draws from the stream that shuffles.
"""

from __future__ import annotations

import hashlib

import torch


def stream(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for the use called `name`: equal seeds and names give equal numbers, other names unrelated ones."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    generator = torch.Generator(device)
    # Torch takes seeds of 64 bits, signed for some devices; 63 bits are safe everywhere.
    generator.manual_seed(int.from_bytes(digest, "little") >> 1)
    return generator
