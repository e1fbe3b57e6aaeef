"""Reading what a stack did: records, executions, logs. Nothing here changes anything."""
