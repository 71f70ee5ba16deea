"""Which method is better: protocols, methods and results made by anyone, measured in one way, with intervals."""
