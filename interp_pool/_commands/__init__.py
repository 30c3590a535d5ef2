"""What the commands of interp_pool share: their manners at a terminal, progress and the layout of tables.

This file owns nothing and imports nothing.
"""
