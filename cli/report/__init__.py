"""The HTML report: one file, no network, every picture drawn here as SVG."""
