"""What acts for a caller over many steps: agents, and scripted workflows."""
