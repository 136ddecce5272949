"""Reference models that score items: each a short file from its paper, trained and asked as GenRec is.

To add one, NAME:

* genrec/baselines/NAME.py: a subclass of `genrec.baselines.base.ItemModel` that says what its examples are, what
  their loss is and how it scores, and `MODEL = ItsClass` at the end;
* genrec/baselines/settings/: its settings, and a line in `CONFIGS`;
* genrec/baselines/defaults.toml: a section with its defaults and the source of each.

Popularity and transition counts are not trained: `genrec.baselines.base.ItemRanker` is what they share with the
others. P5 is another kind: it generates item tokens, as GenRec does (genrec/baselines/p5, genrec/training/p5.py).

Everything else is shared: `genrec train --model NAME` with checkpoints, resuming, seeds, progress and early
stopping, `genrec eval`, `genrec recommend`, `genrec runs`, `genrec compare` and `genrec export`.
"""
