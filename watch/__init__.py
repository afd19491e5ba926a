"""
What people and programs look at.

Law: reads only. A crash here is invisible to research.
"""
