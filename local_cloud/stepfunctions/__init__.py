"""Step Functions: moto's interpreter, repaired and completed.

Importing this package makes moto's grammar readable (see `antlr`), which everything below it needs.
"""

from local_cloud.stepfunctions.antlr import teach_runtime

teach_runtime()
