"""The rules by name, and why each is one."""

from __future__ import annotations

WHY = {
    "repeated-key": "YAML keeps the last of two equal keys and drops the first without a word",
    "unknown-field": "Step Functions refuses a definition with a field that it does not know",
    "missing-field": "Step Functions refuses a definition without it",
    "field-value": "Step Functions refuses the value, or the state cannot do what it is there for",
    "unknown-target": "the definition leads to a state that does not exist",
    "unreachable-state": "no execution ever comes here, so what the state does is never done",
    "no-way-out": "an execution that comes here never ends, and runs into its timeout",
    "choice-without-default": "an input that no rule matches fails the execution with States.NoChoiceMatched",
    "missing-timeout": "without a timeout an execution that hangs waits for up to a year, and costs as long",
    "timeout-order": "the longer time can never pass: the shorter one ends the work first",
    "missing-retry": "every service throttles and fails now and then; without a Retry each such moment ends the run",
    "unknown-resource": "Step Functions refuses the definition, or the Task fails when it first runs",
    "unknown-argument": "Step Functions fails the Task, or the service ignores what was meant",
    "missing-argument": "the service refuses the call",
    "argument-type": "Step Functions cannot turn the value into the type that the service takes",
    "argument-value": "the service's own model forbids the value, so the call is refused",
    "expression-placeholder": "DynamoDB refuses a placeholder without a value and a value without a placeholder",
    "table-key": "DynamoDB refuses a key that has not exactly the attributes of the table's, in their types",
    "payload-key": "the function does not read this key, or cannot do without one that is missing",
    "child-input": "the machine that is started reads other keys of its input than it is given",
    "reply-field": "nothing that the function runs has a key or field of this name, so the value is undefined",
    "substitution-missing": "CloudFormation leaves the placeholder as it is, and the machine calls `${…}`",
    "substitution-unused": "a value that nobody uses is a name that was changed in one place only",
    "substitution-name": "a substitution that is called after one resource and holds another deceives its reader",
    "substitution-kind": "the argument wants another kind of resource than the one that is put there",
    "impossible-error": "a Retry or Catch on an error that never comes does nothing, and the real one goes through",
    "shadowed-error": "an earlier entry takes the error, so this one never does",
    "expression-syntax": "Step Functions refuses the definition, or the state fails",
    "expression-without-context": "a field name by itself looks into a document, and Step Functions gives none",
    "expression-type": "JSONata raises an error, and the execution fails with States.QueryEvaluationError",
    "comparison-decided": "a comparison that can only come out one way decides nothing",
    "unassigned-variable": "the execution fails with States.QueryEvaluationError where the variable is undefined",
    "unused-variable": "a variable that nobody reads is dead, or its name is misspelt where it is read",
    "variable-scope": "Step Functions refuses an assignment to a variable of the scope outside",
    "unknown-function": "JSONata calls nothing by this name, and the execution fails",
    "unknown-field-of-value": "the value has no such field; the expression is undefined and the execution fails",
    "states-field": "$states has this field in other places only; the expression is undefined and the execution fails",
    "unhandled-error": "the error ends the execution: neither Retry nor Catch names it",
    "not-proved": "no model describes what this Task calls, so its arguments and errors are not looked at",
}
"""By rule: what happens where it is broken."""

NOTES = frozenset({"unhandled-error", "not-proved"})
"""What `--verbose` tells besides: right or wrong is for a person to say."""
