"""CloudFormation of its own: moto's skips what it does not know and cannot update in place.

`templates` reads and transforms, `intrinsics` resolves, `resources` makes each type through its service's
public API, `engine` brings a stack from one template to the next; `services/cloudformation.py` is the API.
"""
