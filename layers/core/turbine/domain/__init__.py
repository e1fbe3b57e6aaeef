"""Pure rules of the business: no AWS, no clock, no environment, no disk."""
