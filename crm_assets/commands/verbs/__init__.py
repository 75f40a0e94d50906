"""The arguments of each verb; what a verb needs is imported when it is called, so that ``--help`` is quick."""
