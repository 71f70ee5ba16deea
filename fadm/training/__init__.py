"""Training: recipes, the loop, objectives and their losses."""
