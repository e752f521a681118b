"""Named random streams: each use of randomness has its own, derived from the run's seed.

With one shared stream the arms would see different batches after the first epoch, because dropout draws from it too.
"""

from __future__ import annotations

import hashlib

import torch


def stream(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for the use `name`: equal seeds and names give equal numbers, other names unrelated ones."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    generator = torch.Generator(device)
    # Torch takes seeds of 64 bits, signed for some devices; 63 bits are safe everywhere.
    generator.manual_seed(int.from_bytes(digest, "little") >> 1)
    return generator
