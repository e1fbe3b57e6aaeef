"""What an image URI means without Docker: the Dockerfile of its repository, laid out as a folder of files."""
