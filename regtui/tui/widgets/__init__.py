"""Parts that every screen uses: lists, steppers, dialogs, keys and their bar."""
