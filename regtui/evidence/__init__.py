"""What a run's results support: statistics of the test set, and the words for them."""
