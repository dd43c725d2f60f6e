"""What the report is made of: a module for each policy, with `report(folder)` that yields tables."""
