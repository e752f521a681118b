"""What a run is: the strict model of a preset, its files, and saving it with its comments."""
