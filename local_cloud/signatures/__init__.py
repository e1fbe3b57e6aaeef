"""Verifies the AWS signature of every request, so that only who can read the state directory's keys is served.

`claims` reads what a request says of its signature, `canonical` works out what it must be, `payloads` compares the
body with it, `keys` finds the secret, `refusals` says no as the service would; `gate` puts them before the cloud.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""
