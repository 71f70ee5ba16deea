"""The metrics of animations: pure functions on tensors and arrays, each with its exact definition."""
