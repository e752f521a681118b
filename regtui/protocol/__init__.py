"""What a run says and is told: events, commands, and what follows from them. Everything above speaks it."""
