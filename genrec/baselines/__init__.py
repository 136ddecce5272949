"""Reference models that score items: each a short file from its paper, trained and asked as GenRec is.

A model is a subclass of `genrec.baselines.base.ItemModel`, its settings are a class of
`genrec.baselines.settings`, its defaults a section of defaults.toml, and its name a line of
`genrec.baselines.settings.CONFIGS` and of `genrec.baselines.base.MODELS`.
"""
