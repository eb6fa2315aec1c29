"""Images of the tasks and stages, running commands in them, and the GPU model services."""
