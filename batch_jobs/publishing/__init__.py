"""The publishing job: what two functions do, for models that outgrow their 15 minutes."""
