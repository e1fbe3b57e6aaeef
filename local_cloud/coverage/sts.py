"""STS."""

from local_cloud.coverage.verdicts import Coverage, Faithful, Partial, Refused, each, motos

COVERAGE: Coverage = {
    "GetCallerIdentity": Faithful("tests/parity/test_signatures.py"),
    "AssumeRole": Partial("the keys are verified like others; the role need not be there, nor its policy allow it"),
    **motos("GetAccessKeyInfo"),
    **each(
        Refused("use AssumeRole, or the keys you have: moto keeps the key nowhere, so that nothing could verify it"),
        "GetFederationToken GetSessionToken",
    ),
    **each(Refused("nothing here verifies such a token"), "AssumeRoleWithSAML AssumeRoleWithWebIdentity"),
}
