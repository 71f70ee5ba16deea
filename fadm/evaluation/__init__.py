"""Comparison of methods: protocols, methods and results of other tools, measured in one way, with intervals."""
