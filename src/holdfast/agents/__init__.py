"""What answers and acts for a caller: the chat over data, agents with tools, and scripted workflows."""
