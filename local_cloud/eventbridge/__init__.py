"""EventBridge without a service: matching, input, schedules, delivery; `services/events.py` connects it."""
