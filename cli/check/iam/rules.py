"""The rules of the IAM proof by name, and why each is one."""

from __future__ import annotations

from cli.check.findings import Finding

WHY = {
    "missing": "IAM denies the request, and what makes it fails",
    "unneeded": "whoever gets hold of the role's keys may do what nobody needs",
    "too wide": "whoever gets hold of the role's keys reaches what nobody needs",
    "condition": "without it the grant reaches what others own; with another one the request is denied",
    "wildcard": "it grants what is not known yet, too: AWS adds actions, people add resources",
    "reason": "a reader cannot tell a wildcard that has to be from one that was forgotten",
    "form": "only what is allowed action by action can be compared with what is needed",
    "PassRole": "who may pass any role, or pass it to any service, can do all that the role may",
    "trust": "the service acts for other accounts' resources as well, and would lend them the role",
    "resource policy": "the service acts for other accounts' resources as well, and would let them in",
    "managed": "AWS changes its policies, and they grant on every resource",
    "places": "what S3 keys a role needs is derived from places that must be the code's",
    "integration": "nothing is proved of a role whose needs are not known",
    "code": "nothing is proved of a role whose needs are not known",
}
"""By rule: what happens where it is broken."""


def finding(file: str, line: int, where: str, rule: str, what: str, mend: str) -> Finding:
    """One thing that is wrong. `where` is the role, with the statement's Sid if it is about one."""
    return Finding(file, line, where, rule, what, WHY[rule], mend)
