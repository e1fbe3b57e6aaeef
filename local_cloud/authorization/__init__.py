"""Who may do what: IAM as strict mode evaluates it (`turbine local up --strict`)."""
