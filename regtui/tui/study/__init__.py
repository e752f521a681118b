"""The screen of a study: its runs as they come in, its verdict, and what it rests on."""
