"""The only part that imports torch at the top: data, models, arms and the trainer."""
