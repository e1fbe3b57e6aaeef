"""Deploying stacks the way `sam deploy` does: through change sets."""
