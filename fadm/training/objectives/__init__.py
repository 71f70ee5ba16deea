"""What each kind of training minimises."""
