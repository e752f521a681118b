"""What is trained: the network with its sites, and the fast path of its layers."""
