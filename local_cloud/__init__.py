"""An embedded AWS for one machine: moto, extended until Turbine's templates deploy and its machines run.

Nothing here imports the product. Code to run is found only through the deployed templates.
"""
