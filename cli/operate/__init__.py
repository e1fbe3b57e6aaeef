"""What an engineer does to runs that are under way or have failed: redrive and stop."""
