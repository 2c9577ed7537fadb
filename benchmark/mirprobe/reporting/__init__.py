"""Run folders, leaderboards, differences and published figures."""
