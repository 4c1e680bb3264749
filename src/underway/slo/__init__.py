"""Pure: requests become error budgets and burn rates."""
