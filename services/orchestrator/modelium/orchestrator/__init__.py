"""The orchestrator: gathers what is wanted and what is free, decides, and commands the agents."""
