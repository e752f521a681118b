"""The data sets: facts, where they come from, the cache of decoded files, torchvision at arm's length."""
