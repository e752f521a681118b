"""One arm of an experiment, with torch: network, optimizer, random streams, data split, checkpoint."""
