"""What a run's results support: the paired statistics of the test set and the words for them."""
