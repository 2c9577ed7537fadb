"""Run folders, leaderboards, paired differences and published results."""
