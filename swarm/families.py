"""Every kind of idea, and what each is called in records, tasks and settings."""

FAMILIES = (
    "learning_rate",
    "schedule",
    "batch",
    "optimizer",
    "init",
    "norm",
    "activation",
    "position",
    "attention",
    "width_depth",
    "regularisation",
    "simplify",
    "fold",
    "code",
)
