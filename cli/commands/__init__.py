"""One small file a command: its options, its output; the work is done elsewhere."""
