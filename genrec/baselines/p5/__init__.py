"""P5: recommendation as text (Geng and others 2022, arXiv 2203.13366), its sequential recommendation.

A prompt in words tells a user and the items of the history; T5 reads it and generates the next item's tokens,
which are learned by their likelihood. All tokens of a word share a whole-word embedding, added to the
encoder's input: it tells that "item", "_", "12" and "34" are one item. Beam search ranks.

Where we differ from the paper:

* One task of five, by prompts in words of our own; those that ask for the next item among given candidates, or for
  yes or no, are left out.
* Items have honest tokens: the published numbers follow the whole sequences, test items included, whose order
  `indexing=leaky-sequential` brings back. Numbers that follow the training part alone are those of Hua and others
  2023 (arXiv 2305.06569); items written as text have numbers that mean nothing.
* Without `weights` T5 is trained from scratch, on tokens of our own: one for each word of the prompts, a few for
  each item and user, and nothing between items, which their whole-word numbers keep apart.
* Words are numbered from the newest item backwards, not from the prompt's first word on: from scratch, T5 else
  hardly learns which item is the newest.
* Each item of the training part but a user's first is a target once in an epoch, after all items before it, with
  one prompt drawn; the authors' code draws a stretch and a target per user. The loss is the mean over tokens, not
  over examples.
* The search keeps to the catalogue's tokens, where the paper's generates freely.
* Some users are shown as unknown, so that visitors are served.
"""
