"""Pure metrics, one file a task family; each opens with its conventions."""
