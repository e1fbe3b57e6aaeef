"""The only place with boto3: each module fulfils a port with one service."""
